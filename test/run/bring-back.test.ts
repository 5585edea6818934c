import test from 'ava';
import type { Thing } from '../../engine/drivers/memory/world.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import { bringAll } from '../../engine/run/bring-all.ts';
import { bringBack } from '../../engine/run/bring-back.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { down } from '../../engine/run/down.ts';
import { haltAll } from '../../engine/run/halt-all.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { status, summarize } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { type House, newHouse, thingsIn } from './house.ts';
import { liveIn } from './life.ts';

const shop = { owner: 'default', name: 'shop' };
const { signal } = new AbortController();

type Act = (context: RunContext) => Promise<unknown>;

function goUp(blueprint: Blueprint, parts: Parameters<typeof upRequest>[1] = {}): Act {
  return (context) => up(context, upRequest(blueprint, parts), async () => sampleClosure(blueprint));
}

const back: Act = (context) => bringBack(context, shop);

/** Does to the provider what a restart of its server does: nothing runs, nothing is reachable, the disks stay. */
async function restartServer(house: House): Promise<void> {
  for (const thing of await house.world.things()) {
    if (thing.kind === 'instance') await house.world.put({ ...thing, isOn: false });
    else if (thing.kind !== 'volume' && thing.kind !== 'image') await house.world.take(thing);
  }
}

async function instancesOf(house: House): Promise<readonly Extract<Thing, { kind: 'instance' }>[]> {
  const things = await house.world.things();
  return things.flatMap((thing) => (thing.kind === 'instance' ? [thing] : []));
}

test('what ran before a restart comes back from the records alone, with its secrets and addresses', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  const secrets = new Map([['parameter/dbPassword', 'opensesame']]);
  await goUp(guestbook(), { secrets })(context);
  const before = await instancesOf(house);
  const seen = await status(context, 'default', 'shop');
  await restartServer(house);

  const state = await bringBack(house.enter().context, shop);

  t.is(state, 'running');
  t.deepEqual(await status(context, 'default', 'shop'), seen);
  t.deepEqual(
    (await instancesOf(house)).map(({ key, state: desired, files }) => ({ key, desired, files })),
    before.map(({ key, state: desired, files }) => ({ key, desired, files })),
  );
  house.leave();
});

test('a deployment that is well is left as it is', async (t) => {
  const house = newHouse();
  await goUp(guestbook())(house.enter().context);
  const { context, events } = house.enter();

  await back(context);

  t.deepEqual(
    events.filter((event) => event.type === 'step'),
    [],
  );
  house.leave();
});

test('an up that was killed at any moment goes on from the records, once its plan is written', async (t) => {
  const expected = newHouse();
  await liveIn(expected, goUp(guestbook()));
  let unplanned = 0;
  for (let moment = 1; ; moment++) {
    const house = newHouse();
    const { wasKilled, moments } = await liveIn(house, goUp(guestbook()), moment);
    if (!wasKilled) break;
    const outcome = await liveIn(house, back).then(
      () => 'back',
      (error) => error.code,
    );
    if (outcome === 'back') t.deepEqual(await thingsIn(house), await thingsIn(expected), moments.at(-1));
    else {
      unplanned++;
      t.true(['DEPLOYMENT_MISSING', 'OPERATION_INTERRUPTED'].includes(outcome), outcome);
      t.false(moments.includes('after writePlan'), moments.at(-1));
    }
    house.leave();
  }
  t.true(unplanned > 0 && unplanned < 6, String(unplanned));
});

test('a change that was killed before it was planned leaves the version that stood before', async (t) => {
  const house = newHouse();
  const secrets = new Map([['parameter/dbPassword', 'first value']]);
  await liveIn(house, goUp(guestbook(), { secrets }));
  const before = await instancesOf(house);
  const newSecrets = new Map([['parameter/dbPassword', 'second value']]);
  const killed = await liveIn(house, goUp(guestbook({ replicas: 3 }), { secrets: newSecrets }), 2);
  await restartServer(house);

  await liveIn(house, back);

  t.true(killed.wasKilled);
  t.deepEqual(
    (await instancesOf(house)).map(({ key, files }) => ({ key, files })),
    before.map(({ key, files }) => ({ key, files })),
  );
  const [record] = await house.store.deployments();
  t.is(record?.spec.blueprint.appliances[1]?.replicas, 2);
  t.deepEqual(
    (record ? await house.store.secrets(record.id) : []).map(({ name, version }) => `${name} ${version}`),
    ['parameter/dbPassword 1'],
  );
  house.leave();
});

test('a removal that was killed goes on, and takes the data along only when that was asked for', async (t) => {
  for (const data of ['keep', 'delete'] as const) {
    const house = newHouse();
    await liveIn(house, goUp(guestbook()));
    await liveIn(house, (context) => down(context, { ...shop, data }), 12);

    await liveIn(house, back);

    t.deepEqual(await thingsIn(house), data === 'keep' ? ['volume db.1/data'] : []);
    t.is((await house.store.deployments()).length, data === 'keep' ? 1 : 0);
    house.leave();
  }
});

test('a removal with its data that was stopped by hand waits for a person', async (t) => {
  const house = newHouse();
  await goUp(guestbook())(house.enter().context);
  const stop = new AbortController();
  const { context } = house.enter(
    {
      interfere: async (moment) => {
        if (moment.startsWith('after remove endpoint')) stop.abort();
      },
    },
    { signal: stop.signal },
  );
  await t.throwsAsync(down(context, { ...shop, data: 'delete' }), { code: 'OPERATION_INTERRUPTED' });
  const before = await thingsIn(house);

  await t.throwsAsync(back(house.enter().context), { code: 'OPERATION_INTERRUPTED', message: /by hand/ });

  t.deepEqual(await thingsIn(house), before);
  house.leave();
});

test('an undoing that was killed goes on undoing', async (t) => {
  const house = newHouse();
  await liveIn(house, goUp(guestbook()));
  const before = await thingsIn(house);
  await liveIn(house, goUp(guestbook({ replicas: 3 })), 30);
  await liveIn(house, (context) => rollBack(context, shop), 8);

  await liveIn(house, back);

  t.deepEqual(await thingsIn(house), before);
  house.leave();
});

test('what was taken down on request stays down', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(guestbook())(context);
  await down(context, { ...shop, data: 'keep' });

  t.is(await bringBack(context, shop), 'kept');

  t.deepEqual(await thingsIn(house), ['volume db.1/data']);
  house.leave();
});

test('of several deployments one that fails leaves the others coming back, and is named', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(guestbook())(context);
  await goUp(guestbook(), { name: 'other' })(context);
  await restartServer(house);
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before ensure network network') throw new Error('no more networks');
    },
  });
  const records = await house.store.deployments();
  const contextOf = async ({ name }: { readonly name: string }) =>
    name === 'shop' ? broken.context : context;

  const error = await t.throwsAsync(bringAll(records, contextOf, signal), { code: 'DEPLOYMENTS_FAILED' });

  t.regex(error?.message ?? '', /^1 of 2 deployments did not come back: shop: .*no more networks/);
  t.is((await status(context, 'default', 'other')).state, 'running');
  t.is((await status(context, 'default', 'shop')).state, 'unfinished');
  t.deepEqual(await bringAll(records, async () => context, signal), [
    { name: 'other', owner: 'default', state: 'running' },
    { name: 'shop', owner: 'default', state: 'running' },
  ]);
  house.leave();
});

test('what was stopped because its server goes down comes back, and what was taken down does not', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await goUp(guestbook())(context);
  await goUp(guestbook(), { name: 'other' })(context);
  await down(context, { owner: 'default', name: 'other', data: 'keep' });
  const records = await house.store.deployments();

  const stopped = await haltAll(records, async () => context);
  const seen = await status(context, 'default', 'shop');
  const back = await bringAll(records, async () => context, signal);

  t.deepEqual(stopped, ['shop']);
  t.is(seen.state, 'stopped');
  t.deepEqual(
    back.map(({ name, state }) => `${name} ${state}`),
    ['other kept', 'shop running'],
  );
  house.leave();
});

test('a pool that cannot be asked gives a deployment of a list the state unknown, with the reason', async (t) => {
  const house = newHouse();
  await goUp(guestbook())(house.enter().context);
  const [record] = await house.store.deployments();
  const { context } = house.enter({
    interfere: async () => {
      throw new Error('the server does not answer');
    },
  });

  t.like(record && (await summarize(record, async () => context)), {
    name: 'shop',
    state: 'unknown',
    reason: 'the server does not answer',
  });
  house.leave();
});

test('what is stored no more is told before anything is begun, and only its source brings it back', async (t) => {
  const house = newHouse();
  await goUp(guestbook())(house.enter().context);
  for (const thing of await house.world.things()) if (thing.kind === 'image') await house.world.take(thing);
  const lost = house.enter({}, { isStored: async () => false });
  const before = await thingsIn(house);

  const error = await t.throwsAsync(bringBack(lost.context, shop), {
    instanceOf: EngineError,
    code: 'IMAGE_MISSING',
    message: /^not stored here any more: the image /,
  });

  t.regex(error.hint ?? '', /with the source of shop/);
  t.deepEqual(await thingsIn(house), before);
  const seen = await status(lost.context, 'default', 'shop');
  t.is(seen.state, 'degraded');
  t.is(seen.operation, undefined);
  await goUp(guestbook())(house.enter().context);
  t.is((await status(house.enter().context, 'default', 'shop')).state, 'running');
  house.leave();
});
