import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { Decision, DecisionBasis, DeploymentSpec } from '../../engine/model/store.ts';
import { down } from '../../engine/run/down.ts';
import { runOperation } from '../../engine/run/operation.ts';
import { repair } from '../../engine/run/repair.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { scale } from '../../engine/run/scale.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { upgrade } from '../../engine/run/upgrade.ts';
import { sampleAppliance, sampleVolume } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { acts, closureOf, dataIn, edition, shop, writeWord } from './editions.ts';
import { type House, newHouse, thingsIn } from './house.ts';

const first = edition('1.0.0', []);
const second = edition('2.0.0');

async function houseWith(word = 'old'): Promise<House> {
  const house = newHouse();
  await acts.up(first)(house.enter().context);
  await writeWord(house, word);
  return house;
}

async function versionOf(house: House): Promise<string> {
  return (await status(house.enter().context, 'default', 'shop')).version;
}

async function snapshotsIn(house: House): Promise<readonly string[]> {
  return (await thingsIn(house)).filter((one) => one.startsWith('snapshot'));
}

test('an upgrade freezes the data first, changes replicas one at a time, and remembers the version before', async (t) => {
  const house = await houseWith();
  const { context, events } = house.enter();

  const seen = await upgrade(context, upRequest(second), () => closureOf(second));

  const steps = events.flatMap((one) =>
    one.type === 'step' && one.state !== 'failed' ? [`${one.state} ${one.kind} ${one.key}`] : [],
  );
  t.like(seen, { state: 'running', version: '2.0.0', previous: { version: '1.0.0', hasData: true } });
  const firstChange = steps.findIndex((one) => /^started (instance|volume|policy)/.test(one));
  t.true(steps.indexOf('done snapshot db.1@2') < firstChange);
  t.true(steps.indexOf('done instance web.1') < steps.indexOf('started instance web.2'));
  t.deepEqual(await dataIn(house), { word: 'old', migrated: '2.0.0' });
  t.deepEqual(await snapshotsIn(house), ['snapshot db.1@2']);
});

test('after an upgrade nothing has drifted, and up, scale and repair leave the snapshot alone', async (t) => {
  const house = await houseWith();
  await acts.upgrade(second)(house.enter().context);

  const { drift } = await status(house.enter().context, 'default', 'shop');
  await up(house.enter().context, upRequest(second), () => closureOf(second));
  await scale(house.enter().context, { ...shop, replicas: { web: 3 } });
  await repair(house.enter().context, shop);

  t.deepEqual(drift, []);
  t.deepEqual(await snapshotsIn(house), ['snapshot db.1@2']);
  await acts.revert('discard')(house.enter().context);
  t.is(await versionOf(house), '1.0.0');
});

test('a version that does not get healthy is left again, with the data as they were', async (t) => {
  const house = await houseWith();
  const { context } = house.enter(
    { isWell: ({ uses }) => uses.version !== '2.0.0' },
    { limits: { parallelSteps: 4, settleTimeoutMs: 20, settlePauseMs: 2 } },
  );

  const error = await t.throwsAsync(acts.upgrade(second)(context));

  t.like(error, {
    code: 'UPGRADE_FAILED',
    details: { version: '2.0.0', is: '1.0.0', code: 'INSTANCE_UNHEALTHY' },
  });
  t.like(await status(house.enter().context, 'default', 'shop'), { state: 'running', version: '1.0.0' });
  t.deepEqual(await dataIn(house), { word: 'old', migrated: '' });
  t.deepEqual(await snapshotsIn(house), []);
});

test('of replicas with data of their own only those go back that the failing version ran on', async (t) => {
  const house = newHouse();
  const write = async (volume: string, word: string): Promise<void> => {
    const id = (await house.store.deployment('default', 'shop'))?.id ?? '';
    const files = await house.world.files(id, volume);
    files.write('word', Buffer.from(word));
    await house.world.putFiles(id, volume, files);
  };
  const read = async (volume: string): Promise<string> => {
    const id = (await house.store.deployment('default', 'shop'))?.id ?? '';
    return String((await house.world.files(id, volume)).content('word'));
  };
  await acts.up(stores('1.0.0'))(house.enter().context);
  for (const volume of ['store.1/data', 'store.2/data']) await write(volume, 'old');
  const { context } = house.enter(
    {
      isWell: ({ uses }) => uses.version !== '2.0.0',
      interfere: async (moment) => {
        if (moment !== 'after ensure instance store.1') return;
        for (const volume of ['store.1/data', 'store.2/data']) await write(volume, 'meanwhile');
      },
    },
    { limits: { parallelSteps: 4, settleTimeoutMs: 20, settlePauseMs: 2 } },
  );

  await t.throwsAsync(acts.upgrade(stores('2.0.0'))(context), { code: 'UPGRADE_FAILED' });

  t.is(await read('store.2/data'), 'meanwhile');
  t.like(await status(house.enter().context, 'default', 'shop'), { state: 'running', version: '1.0.0' });
});

function stores(version: string): Blueprint {
  const store = sampleAppliance('store', {
    terminals: [],
    replicas: 2,
    volumes: [sampleVolume({ perReplica: true })],
    uses: { name: 'store', version, digest: digestOf(version) },
    ...(version !== '1.0.0' && { hooks: { migrate: { command: ['/migrate'], timeoutMs: 1000 } } }),
  });
  const { application, ...rest } = edition(version, []);
  return { ...rest, application, appliances: [store], wires: [], externals: [], secrets: [] };
}

test('data that the failing version never touched keep what was written meanwhile', async (t) => {
  const house = await houseWith();
  const web = edition('2.0.0', []);
  let failures = 0;
  const { context } = house.enter({
    interfere: async (moment) => {
      if (moment !== 'before ensure instance web.2' || failures++ > 0) return;
      await writeWord(house, 'written meanwhile');
      throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
    },
  });

  const error = await t.throwsAsync(acts.upgrade(web)(context));

  t.like(error, { code: 'UPGRADE_FAILED' });
  t.is(await versionOf(house), '1.0.0');
  t.deepEqual(await dataIn(house), { word: 'written meanwhile', migrated: '' });
});

test('an upgrade that fails and cannot go back says how to go on', async (t) => {
  const house = await houseWith();
  const full = house.enter({
    interfere: async (moment) => {
      if (moment === 'amid ensure instance web.1') throw new EngineError('DISK_FULL', 'the disk is full');
    },
  });

  const error = await t.throwsAsync(acts.upgrade(second)(full.context));
  const seen = await status(house.enter().context, 'default', 'shop');
  await rollBack(house.enter().context, shop);

  t.like(error, { code: 'DISK_FULL', hint: 'Free room, then: sheaf up --as shop --rollback' });
  t.like(seen, { state: 'unfinished' });
  t.like(await status(house.enter().context, 'default', 'shop'), { state: 'running', version: '1.0.0' });
  t.deepEqual(await dataIn(house), { word: 'old', migrated: '' });
});

test('an upgrade that was stopped by hand goes on with the same request, or is undone with the data as they were', async (t) => {
  for (const way of ['goes on', 'is undone'] as const) {
    const house = await houseWith();
    const stop = new AbortController();
    const { context } = house.enter(
      {
        interfere: async (moment) => {
          if (moment === 'before ensure instance web.2') stop.abort();
        },
      },
      { signal: stop.signal },
    );
    await t.throwsAsync(acts.upgrade(second)(context), { code: 'OPERATION_INTERRUPTED' });
    t.like(await status(house.enter().context, 'default', 'shop'), { state: 'unfinished' });

    if (way === 'goes on') await acts.upgrade(second)(house.enter().context);
    else await rollBack(house.enter().context, shop);

    const isNew = way === 'goes on';
    t.is(await versionOf(house), isNew ? '2.0.0' : '1.0.0');
    t.deepEqual(await dataIn(house), { word: 'old', migrated: isNew ? '2.0.0' : '' });
    t.deepEqual(await snapshotsIn(house), isNew ? ['snapshot db.1@2'] : []);
  }
});

test('a rollback wants to know what becomes of the data, and leads there and back again', async (t) => {
  const house = await houseWith();
  await acts.upgrade(second)(house.enter().context);
  await writeWord(house, 'new');

  await t.throwsAsync(acts.revert()(house.enter().context), { code: 'DATA_UNDECIDED' });
  await acts.revert('discard')(house.enter().context);
  const before = [await versionOf(house), await dataIn(house)];
  await acts.revert('discard')(house.enter().context);

  t.deepEqual(before, ['1.0.0', { word: 'old', migrated: '' }]);
  t.deepEqual([await versionOf(house), await dataIn(house)], ['2.0.0', { word: 'new', migrated: '2.0.0' }]);
  t.is((await snapshotsIn(house)).length, 1);
});

test('a rollback that keeps the data goes back with what was written since', async (t) => {
  const house = await houseWith();
  await acts.upgrade(second)(house.enter().context);
  await writeWord(house, 'new');

  await acts.revert('keep')(house.enter().context);

  t.deepEqual([await versionOf(house), await dataIn(house)], ['1.0.0', { word: 'new', migrated: '2.0.0' }]);
});

test('a volume that grew and one that is new survive the way back', async (t) => {
  const house = await houseWith();
  const larger = edition('2.0.0', ['db'], { sizeMiB: 4096 });
  await acts.upgrade(larger)(house.enter().context);

  await acts.revert('discard')(house.enter().context);

  const { volumes, drift } = await status(house.enter().context, 'default', 'shop');
  t.deepEqual(volumes, [{ name: 'db.1/data', sizeBytes: 4096 * 2 ** 20, exists: true }]);
  t.deepEqual(drift, []);
  t.deepEqual(await dataIn(house), { word: 'old', migrated: '' });
});

test('how many copies of the data there were is no part of a version', async (t) => {
  const house = await houseWith();
  const { context } = house.enter();
  const count = async () => (await house.store.deployment('default', 'shop'))?.spec.dataGeneration;
  await runOperation(context, { ...shop, verb: 'up', decide: moved }, async ({ deployment }) => ({
    spec: deployment.spec,
    answer: undefined,
  }));

  await acts.up(first)(house.enter().context);
  const afterUp = await count();
  await acts.upgrade(second)(house.enter().context);
  await acts.revert('discard')(house.enter().context);

  t.deepEqual([afterUp, await count()], [3, 3]);
});

function moved({ current }: DecisionBasis): Decision {
  const { id = '', pool = '', spec } = current ?? {};
  return { id, pool, spec: { ...(spec as DeploymentSpec), dataGeneration: 3 }, secrets: [] };
}

test('without a version before, and for the version that there is, nothing is done', async (t) => {
  const house = await houseWith();
  const { context } = house.enter();

  await t.throwsAsync(acts.revert('discard')(context), { code: 'INPUT_REFUSED' });
  await t.throwsAsync(acts.upgrade(first)(context), { code: 'INPUT_REFUSED' });
  await t.throwsAsync(
    upgrade(context, upRequest(second, { name: 'nobody' }), () => closureOf(second)),
    {
      code: 'DEPLOYMENT_MISSING',
    },
  );
  await t.throwsAsync(acts.up(second)(context), { code: 'DEPLOYMENT_EXISTS' });
});

test('where the pool takes no snapshots an upgrade works, and a rollback keeps the data', async (t) => {
  const house = await houseWith();
  const { context } = house.enter({ capabilities: { snapshots: false } });

  await acts.upgrade(second)(context);
  await acts.revert()(context);

  t.deepEqual([await versionOf(house), await dataIn(house)], ['1.0.0', { word: 'old', migrated: '2.0.0' }]);
  t.deepEqual(await snapshotsIn(house), []);
});

test('what is taken down takes its snapshots along, with the data or without', async (t) => {
  for (const data of ['keep', 'delete'] as const) {
    const house = await houseWith();
    await acts.upgrade(second)(house.enter().context);

    await down(house.enter().context, { ...shop, data });

    t.deepEqual(await thingsIn(house), data === 'keep' ? ['volume db.1/data'] : []);
    if (data === 'keep') {
      await acts.up(second)(house.enter().context);
      await t.throwsAsync(acts.revert('keep')(house.enter().context), { code: 'INPUT_REFUSED' });
    }
  }
});
