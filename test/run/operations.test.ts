import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { down } from '../../engine/run/down.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleAppliance, sampleClosure, sampleVolume } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { newHouse, thingsIn } from './house.ts';

const blueprint = guestbook();
const closure = async () => sampleClosure(blueprint);
const shop = { owner: 'default', name: 'shop' };

test('a name that cannot be one is refused and nothing is begun', async (t) => {
  const house = newHouse();
  const { context } = house.enter();

  for (const name of ['', '../up', 'Shop', '-shop', 'shop-', 'a'.repeat(41), 'sh op', 'shöp']) {
    await t.throwsAsync(
      up(context, upRequest(blueprint, { name }), closure),
      { code: 'INPUT_REFUSED' },
      name,
    );
  }
  t.deepEqual(await house.store.events(), []);
});

test('a name belongs to one version of one application on one pool', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, upRequest(blueprint), closure);
  const as = (name: string, version: string) => ({ ...blueprint, application: { name, version } });
  const elsewhere = house.enter({}, { pool: { name: 'other', driver: 'memory', range: '10.83.0.0/16' } });

  await t.throwsAsync(up(context, upRequest(as('guestbook', '2.0.0')), closure), {
    code: 'DEPLOYMENT_EXISTS',
  });
  await t.throwsAsync(up(context, upRequest(as('blog', '1.0.0')), closure), { code: 'DEPLOYMENT_EXISTS' });
  await t.throwsAsync(up(elsewhere.context, upRequest(blueprint), closure), { code: 'INPUT_REFUSED' });
  await t.throwsAsync(up(context, upRequest(guestbook({ sizeMiB: 1 })), closure), { code: 'INPUT_REFUSED' });
  t.is((await status(context, 'default', 'shop')).state, 'running');
});

test('two deployments side by side share no subnet, port or room', async (t) => {
  const house = newHouse();
  const { context } = house.enter();

  const seen = await Promise.all(
    ['one', 'two', 'three'].map((name) => up(context, upRequest(blueprint, { name }), closure)),
  );

  const addresses = seen.flatMap((each) => each.instances.map((one) => one.address));
  const ports = seen.flatMap((each) => each.endpoints.map((one) => one.port));
  t.is(new Set(addresses).size, 15);
  t.is(new Set(ports).size, 3);
});

test('two operations on one name at once: the second is told that it is busy', async (t) => {
  const house = newHouse();
  const { context } = house.enter();

  const both = await Promise.allSettled([
    up(context, upRequest(blueprint), closure),
    up(context, upRequest(blueprint), closure),
  ]);

  const refused = both.filter((one) => one.status === 'rejected').map((one) => one.reason.code);
  t.deepEqual(refused, ['DEPLOYMENT_BUSY']);
});

test('what a pool has no room for is refused, and nothing is reserved', async (t) => {
  const house = newHouse();
  const server = {
    name: 'small',
    capacity: { cpuMillicores: 4000, memoryBytes: 1000 * 2 ** 20, diskBytes: 2 ** 40 },
    used: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 },
    labels: {},
    isOpen: true,
  };
  const { context } = house.enter({ servers: [server] });
  await up(context, upRequest(blueprint, { name: 'first' }), closure);

  const error = await t.throwsAsync(up(context, upRequest(blueprint, { name: 'second' }), closure));

  t.like(error, { code: 'PLACEMENT_IMPOSSIBLE' });
  t.deepEqual(
    (await house.store.deployments()).map((one) => one.name),
    ['first'],
  );
});

test('a replica that comes back finds the volume that it left, on the same server', async (t) => {
  const house = newHouse();
  const server = {
    capacity: { cpuMillicores: 64_000, memoryBytes: 2 ** 40, diskBytes: 2 ** 44 },
    used: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 },
    labels: {},
    isOpen: true,
  };
  const full = { ...server, used: { ...server.used, memoryBytes: 2 ** 39 } };
  const of = (replicas: number) => {
    const store = sampleAppliance('store', {
      terminals: [],
      replicas,
      volumes: [sampleVolume({ perReplica: true })],
    });
    return { ...blueprint, appliances: [store], wires: [], externals: [], secrets: [] };
  };
  const bring = async (replicas: number, servers: readonly (typeof server & { name: string })[]) => {
    const { context } = house.enter({ servers });
    await up(context, upRequest(of(replicas)), async () => sampleClosure(of(replicas)));
    return (await house.world.things()).filter((thing) => thing.kind === 'volume');
  };

  const before = await bring(3, [
    { ...server, name: 'a' },
    { ...server, name: 'b' },
  ]);
  await bring(1, [
    { ...server, name: 'a' },
    { ...server, name: 'b' },
  ]);
  const after = await bring(3, [
    { ...server, name: 'a' },
    { ...full, name: 'b' },
  ]);

  t.is(before.length, 3);
  t.deepEqual(after, before);
});

test('a pool that cannot enforce the wires runs nothing', async (t) => {
  const house = newHouse();
  const { context } = house.enter({ capabilities: { isolates: false, isolationReason: 'nft is missing' } });

  const error = await t.throwsAsync(up(context, upRequest(blueprint), closure));

  t.like(error, {
    code: 'ISOLATION_UNAVAILABLE',
    message: 'the pool local cannot enforce the wires: nft is missing',
  });
});

test('a whole disk is refused where only containers run, before anything is made', async (t) => {
  const house = newHouse();
  const { context } = house.enter({ capabilities: { runs: 'container' } });
  const appliances = blueprint.appliances.map((one) => ({
    ...one,
    image: { kind: 'disk', path: 'disk.qcow2', run: [] } as unknown as typeof one.image,
  }));

  const error = await t.throwsAsync(up(context, upRequest({ ...blueprint, appliances }), closure));

  t.like(error, { code: 'PLACEMENT_IMPOSSIBLE' });
  t.regex(error?.message ?? '', /^the pool local runs containers, and cannot boot the disk of /);
});

test('a user without the rights to enforce the wires is told what gives them', async (t) => {
  const house = newHouse();
  const refusal = { isolationReason: 'no tap for you', isolationRemedy: 'As root: chmod it' };
  const { context } = house.enter({ capabilities: { isolates: false, ...refusal } });

  const error = await t.throwsAsync(up(context, upRequest(blueprint), closure));

  t.like(error, { code: 'ROOT_REQUIRED', hint: 'As root: chmod it' });
  t.regex(error?.message ?? '', /no tap for you/);
});

test('images that cannot be built leave no deployment behind', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  const broken = async () => {
    throw new EngineError('IMAGE_FAILED', 'no such package');
  };

  await t.throwsAsync(up(context, upRequest(blueprint), broken), { code: 'IMAGE_FAILED' });

  t.deepEqual(await house.store.deployments(), []);
});

test('a step that fails stops what follows, names itself, and the same command goes on from there', async (t) => {
  const house = newHouse();
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'amid ensure volume db.1/data') throw new EngineError('DISK_FULL', 'no room for a disk');
    },
  });

  const error = await t.throwsAsync(up(broken.context, upRequest(blueprint), closure));
  const between = await status(broken.context, 'default', 'shop');
  const { context, events } = house.enter();
  const seen = await up(context, upRequest(blueprint), closure);

  t.like(error, { code: 'DISK_FULL', message: 'volume db.1/data: no room for a disk' });
  t.is(between.state, 'unfinished');
  t.like(between.operation, { verb: 'up', steps: 13 });
  t.is(seen.state, 'running');
  t.like(events[0], { type: 'operation', state: 'resumed' });
});

test('a removal that fails leaves the others going on, and says what is in the way', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, upRequest(blueprint), closure);
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before remove instance web.1') throw new EngineError('TOOL_FAILED', 'it does not stop');
    },
  });

  const error = await t.throwsAsync(down(broken.context, { ...shop, data: 'delete' }));
  const left = await thingsIn(house);
  await down(context, { ...shop, data: 'delete' });

  t.like(error, {
    code: 'TOOL_FAILED',
    message: 'instance web.1: it does not stop',
    details: { failed: { 'instance web.1': 'it does not stop' } },
  });
  t.deepEqual(left, [
    'image db@1.0.0',
    'image edge@1.0.0',
    'image lb@1.0.0',
    'image web@1.0.0/web',
    'instance web.1',
    'network network',
    'policy wires',
    'volume db.1/data',
  ]);
  t.deepEqual(await thingsIn(house), []);
});

test('a thing that is still there after its removal is named', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, upRequest(blueprint), closure);
  const [stray] = await house.world.things();
  const haunted = house.enter({
    interfere: async (moment) => {
      if (moment === 'after remove network network' && stray) await house.world.put(stray);
    },
  });

  const error = await t.throwsAsync(down(haunted.context, { ...shop, data: 'delete' }));
  await down(context, { ...shop, data: 'delete' });

  t.regex(error?.message ?? '', /^still there after its removal: \w+ /);
  t.deepEqual(await thingsIn(house), []);
});

test('a request to stop reaches the running steps, and the same command goes on', async (t) => {
  const house = newHouse();
  const controller = new AbortController();
  const stopped = house.enter(
    {
      interfere: async (moment, signal) => {
        if (moment !== 'amid ensure instance web.1') return;
        controller.abort();
        t.true(signal.aborted);
        throw new EngineError('TOOL_FAILED', 'killed');
      },
    },
    { signal: controller.signal },
  );

  const error = await t.throwsAsync(up(stopped.context, upRequest(blueprint), closure));
  const { context } = house.enter();
  const between = await status(context, 'default', 'shop');
  const seen = await up(context, upRequest(blueprint), closure);

  t.like(error, { code: 'OPERATION_INTERRUPTED' });
  t.regex((error as EngineError).hint ?? '', /--rollback/);
  t.is(between.state, 'unfinished');
  t.like(stopped.events.at(-1), { type: 'operation', state: 'interrupted' });
  t.is(seen.state, 'running');
});

test('a request to stop before the first step leaves nothing, and offers no undoing', async (t) => {
  const house = newHouse();
  const controller = new AbortController();
  const { context } = house.enter({}, { signal: controller.signal });
  const slow = async () => {
    controller.abort();
    return await closure();
  };

  const error = await t.throwsAsync(up(context, upRequest(blueprint), slow));

  t.like(error, { code: 'OPERATION_INTERRUPTED', hint: 'Run the same command again to go on.' });

  t.deepEqual(await house.store.deployments(), []);
  t.deepEqual(await thingsIn(house), []);
});

test('who loses the lease stops and changes nothing more', async (t) => {
  const house = newHouse();
  const other = house.enter({}, { isAlive: () => false });
  let acts = 0;
  const slow = house.enter({
    interfere: async (moment) => {
      if (moment.startsWith('before ensure')) acts++;
      if (moment === 'amid ensure network network') await down(other.context, { ...shop, data: 'delete' });
    },
  });

  await t.throwsAsync(up(slow.context, upRequest(blueprint), closure), { code: 'LEASE_LOST' });

  t.true(acts < 8);
});

test('an instance that does not become healthy fails the operation with its last message', async (t) => {
  const house = newHouse();
  const { context, events } = house.enter(
    {},
    {
      limits: { parallelSteps: 4, settleTimeoutMs: 20, settlePauseMs: 1 },
    },
  );
  const cyclic = {
    ...blueprint,
    wires: blueprint.wires.map((wire) => ({ ...wire, ordered: true })),
    appliances: blueprint.appliances.map((one) =>
      one.path === 'db'
        ? {
            ...one,
            terminals: [
              ...one.terminals,
              { name: 'up', direction: 'out', protocol: 'http', transport: 'tcp' } as const,
            ],
          }
        : one,
    ),
  };
  // two that wait for each other
  const request = upRequest({
    ...cyclic,
    wires: [
      ...cyclic.wires,
      {
        from: { appliance: 'db', terminal: 'up' },
        to: { appliance: 'web', terminal: 'in' },
        protocol: 'http',
        transport: 'tcp',
        port: 80,
        ordered: true,
      },
    ],
  });

  const error = await t.throwsAsync(up(context, request, closure));

  t.like(error, { code: 'INSTANCE_UNHEALTHY', hint: 'Read its log with: sheaf logs shop db.1' });
  t.regex(error?.message ?? '', /^db\.1 is not healthy after \d+ s without progress: waits for up$/);
  t.true(events.some((event) => event.type === 'instance' && event.condition === 'waiting'));
  t.is((await status(context, 'default', 'shop')).state, 'unfinished');
});

test('an instance that ends while the others start fails the operation at once', async (t) => {
  const house = newHouse();
  const { context } = house.enter({
    interfere: async (moment) => {
      if (moment !== 'after ensure endpoint edge.web') return;
      for (const thing of await house.world.things()) {
        if (thing.key === 'lb.1') await house.world.put({ ...thing, isOn: false });
      }
    },
  });

  const error = await t.throwsAsync(up(context, upRequest(blueprint), closure));

  t.like(error, { code: 'INSTANCE_FAILED', message: 'lb.1 is stopped: it was switched off' });
});

test('status tells of an instance that was removed behind our back, and up brings it back', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, upRequest(blueprint), closure);
  for (const thing of await house.world.things()) if (thing.key === 'web.2') await house.world.take(thing);

  const seen = await status(context, 'default', 'shop');
  const after = await up(context, upRequest(blueprint), closure);

  t.is(seen.state, 'degraded');
  t.is(seen.instances.find((one) => one.name === 'web.2')?.state, 'absent');
  t.is(after.state, 'running');
});

test('a data volume that vanished is made anew with a warning', async (t) => {
  const house = newHouse();
  const { context, events } = house.enter();
  await up(context, upRequest(blueprint), closure);
  for (const thing of await house.world.things()) if (thing.kind === 'volume') await house.world.take(thing);

  await up(context, upRequest(blueprint), closure);

  t.deepEqual(
    events.flatMap((event) => (event.type === 'warning' ? [event.message] : [])),
    ['the data of db.1/data is gone; the volume is made anew and is empty'],
  );
});

test('undoing a first up leaves nothing, and undoing nothing is refused', async (t) => {
  const house = newHouse();
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before ensure endpoint edge.web') throw new EngineError('ADDRESS_TAKEN', 'in use');
    },
  });
  await t.throwsAsync(up(broken.context, upRequest(blueprint), closure), { code: 'ADDRESS_TAKEN' });
  const { context, events } = house.enter();

  await rollBack(context, shop);

  t.deepEqual(await thingsIn(house), []);
  t.deepEqual(await house.store.deployments(), []);
  t.like(events[0], { type: 'operation', state: 'rolling-back' });
  await t.throwsAsync(rollBack(context, shop), { code: 'DEPLOYMENT_MISSING' });
  await up(context, upRequest(blueprint), closure);
  await t.throwsAsync(rollBack(context, shop), { code: 'INPUT_REFUSED' });
});

test('after an endpoint was refused its address, up with another one goes on', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, upRequest(blueprint, { name: 'first' }), closure);
  const at = (port: number) => ({ set: {}, expose: { 'edge.web': { address: '127.0.0.1', port } } });
  const taken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before ensure endpoint edge.web') throw new EngineError('ADDRESS_TAKEN', 'in use');
    },
  });

  await t.throwsAsync(up(context, upRequest(blueprint, { inputs: at(40_000) }), closure), {
    code: 'ADDRESS_TAKEN',
  });
  await t.throwsAsync(up(taken.context, upRequest(blueprint, { inputs: at(9000) }), closure), {
    code: 'ADDRESS_TAKEN',
  });
  const seen = await up(context, upRequest(blueprint, { inputs: at(9001) }), closure);

  t.is(seen.endpoints[0]?.url, 'http://127.0.0.1:9001/');
});

test('a taken address is refused before anything is made, but not one that the deployment itself holds', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  const busy = { ...context, listenRefusal: async () => 'taken' as const };
  const inputs = { set: {}, expose: { 'edge.web': { address: '127.0.0.1', port: 9000 } } };

  await t.throwsAsync(up(busy, upRequest(blueprint, { inputs }), closure), { code: 'ADDRESS_TAKEN' });
  t.deepEqual(await thingsIn(house), []);
  t.deepEqual(await house.store.deployments(), []);

  await up(context, upRequest(blueprint, { inputs }), closure);
  await t.notThrowsAsync(up(busy, upRequest(blueprint, { inputs }), closure));
});

test('a secret is in no file, journal, event or error, only in what the guest gets', async (t) => {
  const canary = 'canary-5f3a9c';
  const house = newHouse();
  const { context, events } = house.enter();
  const secrets = new Map([['parameter/dbPassword', canary]]);
  const telling = house.enter({
    interfere: async (moment) => {
      if (moment === 'amid ensure instance web.1')
        throw new EngineError('TOOL_FAILED', `tool said ${canary}`);
    },
  });

  const error = await t.throwsAsync(up(telling.context, upRequest(blueprint, { secrets }), closure));
  await up(context, upRequest(blueprint, { secrets }), closure);

  t.is(error?.message, 'instance web.1: tool said (secret)');
  const written = readdirSync(house.home).map((name) => readFileSync(join(house.home, name), 'latin1'));
  const told = JSON.stringify([events, telling.events, await house.store.events(), error]);
  t.false(written.some((text) => text.includes(canary)));
  t.false(told.includes(canary));
  const db = (await house.world.things()).find((thing) => thing.key === 'db.1');
  t.true(db?.files.some((file) => file.content.includes(canary)));
});

test('a secret that is given anew reaches the instances that have it', async (t) => {
  const house = newHouse();
  const { context, events } = house.enter();
  const given = (value: string) =>
    upRequest(blueprint, { secrets: new Map([['parameter/dbPassword', value]]) });
  await up(context, given('first-value'), closure);
  const before = events.length;

  await up(context, given('second-value'), closure);
  await up(context, given('second-value'), closure);
  await up(context, upRequest(blueprint), closure);

  const changed = events
    .slice(before)
    .flatMap((one) => (one.type === 'step' && one.state === 'done' ? [one.key] : []));
  t.deepEqual(changed.sort(), ['db.1', 'web.1', 'web.2']);
  const db = (await house.world.things()).find((thing) => thing.key === 'db.1');
  t.true(db?.files.some((file) => file.content.includes('second-value')));
  t.is((await house.store.secrets((await house.store.deployments())[0]?.id ?? '')).length, 1);
});

test('a secret that nobody gave and nobody may generate is asked for', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  const strict = { ...blueprint, secrets: [{ name: 'parameter/dbPassword' }] };

  const error = await t.throwsAsync(up(context, upRequest(strict), closure));

  t.like(error, { code: 'INPUT_REFUSED', hint: 'Give it with --set-file dbPassword=FILE.' });
  t.deepEqual(await house.store.deployments(), []);
});

test('no more steps run at once than allowed', async (t) => {
  const house = newHouse();
  let running = 0;
  let most = 0;
  const { context } = house.enter(
    {
      interfere: async (moment) => {
        if (moment.startsWith('before ensure')) most = Math.max(most, ++running);
        if (moment.startsWith('after ensure')) running--;
      },
    },
    { limits: { parallelSteps: 3, settleTimeoutMs: 2000, settlePauseMs: 1 } },
  );

  await up(context, upRequest(guestbook({ replicas: 20 })), async () =>
    sampleClosure(guestbook({ replicas: 20 })),
  );

  t.is(most, 3);
});
