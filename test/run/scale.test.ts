import test from 'ava';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { down } from '../../engine/run/down.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { scale } from '../../engine/run/scale.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleAppliance, sampleClosure, sampleVolume } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { type House, newHouse } from './house.ts';

const shop = { owner: 'default', name: 'shop' };

async function goUp(context: RunContext, blueprint: Blueprint): Promise<void> {
  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));
}

async function scaleTo(context: RunContext, replicas: Readonly<Record<string, number>>) {
  return await scale(context, { ...shop, replicas });
}

async function webs({ enter }: House): Promise<readonly string[]> {
  const { instances } = await status(enter().context, 'default', 'shop');
  return instances.filter((one) => one.appliance === 'web').map((one) => one.name);
}

function stores(replicas: number): Blueprint {
  const store = sampleAppliance('store', {
    terminals: [],
    replicas,
    volumes: [sampleVolume({ perReplica: true })],
  });
  return { ...guestbook(), appliances: [store], wires: [], externals: [], secrets: [] };
}

test('more replicas come from what is recorded, and nothing that runs is replaced', async (t) => {
  const house = newHouse();
  await goUp(house.enter().context, guestbook());
  const before = await house.world.things();
  const { context, events } = house.enter();

  const seen = await scaleTo(context, { web: 4 });

  t.is(seen.state, 'running');
  t.deepEqual(await webs(house), ['web.1', 'web.2', 'web.3', 'web.4']);
  const steps = events.flatMap((one) => (one.type === 'step' && one.state === 'done' ? [one] : []));
  t.deepEqual(steps.map(({ change, kind, key }) => `${change} ${kind} ${key}`).toSorted(), [
    'create instance web.3',
    'create instance web.4',
    'update instance db.1',
    'update instance lb.1',
    'update policy wires',
  ]);
  t.is(steps.at(-1)?.key, 'lb.1');
  const [old, added] = ['web.2', 'web.4'].map((key) => partsOf(before, key) ?? key);
  t.is(added, 'web.4');
  const things = await house.world.things();
  t.deepEqual(partsOf(things, 'web.4'), old);
  house.leave();
});

function partsOf(things: Awaited<ReturnType<House['world']['things']>>, key: string) {
  const found = things.find((one) => one.kind === 'instance' && one.key === key);
  if (found?.kind !== 'instance') return undefined;
  const { kit, image, layers, services, scope } = found.state;
  return { kit, image, layers, services, properties: scope.properties };
}

test('numbers stay until the description says another one, and go back when it is asked for', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(context, guestbook());

  await scaleTo(context, { web: 3 });
  await goUp(context, guestbook({ title: 'New title' }));
  const kept = await webs(house);
  await goUp(context, guestbook({ replicas: 1 }));
  const described = await webs(house);
  await goUp(context, guestbook());
  const again = await webs(house);
  await scaleTo(context, { web: 3 });
  await scaleTo(context, { web: 2 });

  t.is(kept.length, 3);
  t.is(described.length, 1);
  t.is(again.length, 2);
  const [record] = await house.store.deployments();
  t.deepEqual(record?.spec.inputs, { set: {}, expose: {} });
  house.leave();
});

test('data of replicas that go stay, and are theirs again when they come back', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(context, stores(3));
  const volumes = async () =>
    (await house.world.things()).flatMap((one) => (one.kind === 'volume' ? [`${one.key} ${one.born}`] : []));
  const before = await volumes();

  const fewer = await scaleTo(context, { store: 1 });
  const meanwhile = await volumes();
  await scaleTo(context, { store: 3 });

  t.is(fewer.instances.length, 1);
  t.deepEqual(
    fewer.volumes.map((one) => one.name),
    ['store.1/data', 'store.2/data', 'store.3/data'],
  );
  t.deepEqual(meanwhile, before);
  t.deepEqual(await volumes(), before);
  house.leave();
});

test('numbers that cannot be are refused, and nothing is begun', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await t.throwsAsync(scaleTo(context, { web: 2 }), { code: 'DEPLOYMENT_MISSING' });
  await goUp(context, guestbook());
  const events = await house.store.events();
  const refusals = [
    { replicas: { wep: 3 }, says: /no appliance wep/ },
    { replicas: { web: 0 }, says: /cannot have 0 replicas/ },
    { replicas: { web: 1001 }, says: /cannot have 1001 replicas/ },
    { replicas: { web: 300 }, says: /has room for 253 instances/ },
    { replicas: { db: 2 }, says: /would share its data volume data/ },
  ];

  for (const { replicas, says } of refusals) {
    await t.throwsAsync(scaleTo(context, replicas), { code: 'INPUT_REFUSED', message: says });
  }

  t.deepEqual(await house.store.events(), events);
  await down(context, { ...shop, data: 'keep' });
  await t.throwsAsync(scaleTo(context, { web: 3 }), { code: 'INPUT_REFUSED', message: /is stopped/ });
  house.leave();
});

test('what something else left unfinished is finished or undone first', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(context, guestbook());
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before ensure instance web.2') throw new Error('no more room');
    },
  });
  const change = guestbook({ title: 'New title' });
  await t.throwsAsync(goUp(broken.context, change));

  await t.throwsAsync(scaleTo(context, { web: 3 }), {
    code: 'OPERATION_INTERRUPTED',
    message: /has an unfinished up/,
  });

  await rollBack(context, shop);
  t.is((await scaleTo(context, { web: 3 })).state, 'running');
  house.leave();
});

test('a load balancer never hears of a replica that does not get well', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(context, guestbook());
  const { driver } = house.enter().context;
  const observe = driver.observe.bind(driver);
  const sick = Object.assign(driver, {
    observe: async (...asked: Parameters<typeof observe>) => ({
      objects: (await observe(...asked)).objects.map((one) =>
        one.kind === 'instance' && one.key === 'web.3' ? { ...one, healthy: false } : one,
      ),
    }),
  });
  const limits = { ...context.limits, settleTimeoutMs: 50 };

  await t.throwsAsync(scaleTo({ ...context, driver: sick, limits }, { web: 3 }), {
    code: 'INSTANCE_UNHEALTHY',
    message: /^instance lb\.1: web\.3 is not healthy/,
  });

  const lb = (await house.world.things()).find((one) => one.key === 'lb.1');
  t.is(lb?.kind === 'instance' ? lb.state.scope.terminals['out']?.peers.length : 0, 2);
  await rollBack(context, shop);
  t.deepEqual(await webs(house), ['web.1', 'web.2']);
  t.is((await status(context, 'default', 'shop')).state, 'running');
  house.leave();
});
