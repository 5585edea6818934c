import test from 'ava';
import type { Thing } from '../../engine/drivers/memory/world.ts';
import { down } from '../../engine/run/down.ts';
import { repair } from '../../engine/run/repair.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { openWatch } from '../../engine/run/watch.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { type Life, upRequest } from '../sample/context.ts';
import { type House, newHouse } from './house.ts';
import { liveIn } from './life.ts';

const shop = { owner: 'default', name: 'shop' };
const blueprint = guestbook();
const goUp = async ({ context }: Life) =>
  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));

/** Damages that somebody does behind our back, and what is seen of each. */
const damages: Readonly<
  Record<string, { readonly act: (house: House) => Promise<void>; readonly seen: string }>
> = {
  'an instance that is gone': {
    act: async (house) => await house.world.take(await thing(house, 'web.1')),
    seen: 'instance web.1 gone',
  },
  'an instance that was switched off': {
    act: async (house) => await house.world.put({ ...(await thing(house, 'lb.1')), isOn: false }),
    seen: 'instance lb.1 ended',
  },
  'a policy that was changed': {
    act: async (house) =>
      await house.world.put({ ...(await thing(house, 'wires')), fingerprint: 'sha256:other' }),
    seen: 'policy wires changed',
  },
  'a network that is gone': {
    act: async (house) => await house.world.take(await thing(house, 'network')),
    seen: 'network network gone',
  },
  'an endpoint that does not work': {
    act: async (house) => await house.world.put({ ...(await thing(house, 'edge.web')), fingerprint: null }),
    seen: 'endpoint edge.web broken',
  },
};

async function thing(house: House, key: string): Promise<Thing> {
  const found = (await house.world.things()).find((one) => one.key === key);
  if (!found) throw new Error(`there is no ${key}`);
  return found;
}

async function seenIn({ context }: Life) {
  const { state, drift } = await status(context, 'default', 'shop');
  return { state, drift: drift.map(({ kind, key, what }) => `${kind} ${key} ${what}`) };
}

function stepsOf({ events }: Life): readonly string[] {
  return events.flatMap((one) =>
    one.type === 'step' && one.state === 'done' ? [`${one.change} ${one.kind} ${one.key}`] : [],
  );
}

function notesOf({ events }: Life): readonly string[] {
  return events.flatMap((one) => (one.type === 'warning' ? [one.message] : []));
}

/** A life that sees some running instances as unhealthy until they are replaced. */
function sickly(house: House, names: readonly string[], clock: () => number = Date.now): Life {
  const sick = new Set(names);
  const life = house.enter(
    {
      interfere: async (moment) => {
        if (moment.startsWith('after ensure instance ')) sick.delete(moment.split(' ')[3] ?? '');
      },
    },
    { clock },
  );
  const { driver } = life.context;
  const observe = driver.observe.bind(driver);
  Object.assign(driver, {
    observe: async (...asked: Parameters<typeof observe>) => ({
      objects: (await observe(...asked)).objects.map((one) =>
        one.kind === 'instance' && sick.has(one.key) ? { ...one, healthy: false } : one,
      ),
    }),
  });
  return life;
}

for (const [what, { act, seen }] of Object.entries(damages)) {
  test(`${what} is shown at once, and repaired`, async (t) => {
    const house = newHouse();
    await goUp(house.enter());
    await act(house);

    const before = await seenIn(house.enter());
    await repair(house.enter().context, shop);

    t.is(before.state, 'degraded');
    t.true(before.drift.includes(seen), before.drift.join(', '));
    t.deepEqual(await seenIn(house.enter()), { state: 'running', drift: [] });
    house.leave();
  });
}

test('what is well is left alone, and nothing is written of it', async (t) => {
  const house = newHouse();
  await goUp(house.enter());
  const events = await house.store.events();
  const life = house.enter();

  t.is((await repair(life.context, shop)).state, 'running');

  t.deepEqual(stepsOf(life), []);
  t.deepEqual(await house.store.events(), events);
  house.leave();
});

test('of instances that are not healthy only those are replaced that wait for no other of them', async (t) => {
  const house = newHouse();
  await goUp(house.enter());
  const life = sickly(house, ['db.1']);

  await repair(life.context, shop);

  t.deepEqual(stepsOf(life), ['replace instance db.1']);
  house.leave();
});

test('a repair that was killed at any moment goes on when it is run again', async (t) => {
  for (let moment = 1; ; moment++) {
    const house = newHouse();
    await liveIn(house, async (context) =>
      up(context, upRequest(blueprint), async () => sampleClosure(blueprint)),
    );
    await house.world.take(await thing(house, 'network'));
    const { wasKilled } = await liveIn(house, (context) => repair(context, shop), moment);
    if (!wasKilled) break;

    await liveIn(house, (context) => repair(context, shop));

    t.deepEqual(await seenIn(house.enter()), { state: 'running', drift: [] });
    const [record] = await house.store.deployments();
    t.deepEqual(record && (await house.store.unfinished(record.id)), []);
    house.leave();
  }
});

test('a repair that failed can be undone, and what was stopped on request is not repaired', async (t) => {
  const house = newHouse();
  const life = house.enter();
  await goUp(life);
  await house.world.take(await thing(house, 'web.1'));
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before ensure instance web.1') throw new Error('no more room');
    },
  });
  await t.throwsAsync(repair(broken.context, shop), { message: /no more room/ });

  await rollBack(life.context, shop);
  t.is((await seenIn(life)).state, 'running');

  await down(life.context, { ...shop, data: 'keep' });
  await t.throwsAsync(repair(life.context, shop), { code: 'INPUT_REFUSED' });
  house.leave();
});

test('a watch tells what it sees and repairs it, and an unhealthy instance when patience is over', async (t) => {
  const house = newHouse();
  await goUp(house.enter());
  let now = 1_000_000;
  const life = sickly(house, ['db.1'], () => now);
  const { look } = openWatch(async () => life.context, { patienceMs: 60_000 });
  const records = await house.store.deployments();

  await look(records);
  now += 59_000;
  await look(records);
  const patient = stepsOf(life);
  now += 1000;
  await look(records);
  await look(records);

  t.deepEqual(patient, []);
  t.deepEqual(stepsOf(life), ['replace instance db.1']);
  t.deepEqual(notesOf(life), ['shop: instance db.1 is unhealthy', 'shop: well again']);
  house.leave();
});

test('what was repaired three times within an hour is left for a person, by every process', async (t) => {
  const house = newHouse();
  let now = 1_000_000;
  await goUp(house.enter({}, { clock: () => now }));
  const records = await house.store.deployments();
  const lookAgain = async () => {
    now += 60_000;
    const life = house.enter({}, { clock: () => now });
    await openWatch(async () => life.context, { patienceMs: 0 }).look(records);
    return life;
  };

  for (let time = 0; time < 3; time++) {
    await house.world.take(await thing(house, 'web.1'));
    t.deepEqual(stepsOf(await lookAgain()), ['create instance web.1']);
  }
  await house.world.take(await thing(house, 'web.1'));
  const fourth = await lookAgain();
  const shown = await status(fourth.context, 'default', 'shop');
  now += 3_600_000;
  const later = await lookAgain();

  t.deepEqual(stepsOf(fourth), []);
  t.regex(notesOf(fourth)[0] ?? '', /web\.1 is gone; repaired 3 times within an hour.* left for a person/);
  t.is(shown.state, 'degraded');
  t.regex(shown.reason ?? '', /left for a person/);
  t.deepEqual(stepsOf(later), ['create instance web.1']);
  house.leave();
});

test('a person who brings it up again gives it another three', async (t) => {
  const house = newHouse();
  const life = house.enter();
  await goUp(life);
  const [record] = await house.store.deployments();
  for (let time = 0; time < 3; time++) {
    await house.world.take(await thing(house, 'web.1'));
    await repair(life.context, shop);
  }
  const before = record && (await house.store.repairsSince(record.id, 0));

  await goUp(life);

  t.is(before, 3);
  t.is(record && (await house.store.repairsSince(record.id, 0)), 0);
  house.leave();
});

test('a watch leaves alone what is unfinished, stopped on request, or in work, and one failure does not end it', async (t) => {
  const house = newHouse();
  const life = house.enter();
  await goUp(life);
  const stopped = upRequest(blueprint, { name: 'stopped' });
  await up(life.context, stopped, async () => sampleClosure(blueprint));
  await down(life.context, { owner: 'default', name: 'stopped', data: 'keep' });
  const lost = upRequest(blueprint, { name: 'lost' });
  await up(life.context, lost, async () => sampleClosure(blueprint));
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'before ensure instance web.1') throw new Error('no more room');
    },
  });
  await t.throwsAsync(
    up(broken.context, upRequest(guestbook({ title: 'New' })), async () => sampleClosure(blueprint)),
  );
  const watcher = house.enter();
  const { look } = openWatch(
    async ({ name }) => {
      if (name === 'lost') throw new Error('the pool does not answer');
      return watcher.context;
    },
    { patienceMs: 0 },
  );

  await look(await house.store.deployments());

  t.deepEqual(stepsOf(watcher), []);
  t.deepEqual(notesOf(watcher), ['shop: an unfinished up waits for somebody']);
  house.leave();
});
