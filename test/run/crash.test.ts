import test, { type ExecutionContext } from 'ava';
import type { Thing } from '../../engine/drivers/memory/world.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { down } from '../../engine/run/down.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { scale } from '../../engine/run/scale.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { type House, newHouse } from './house.ts';
import { liveIn } from './life.ts';

type Act = (context: RunContext) => Promise<unknown>;

const before = guestbook({ replicas: 2 });
const after = guestbook({ replicas: 3, title: 'New title', sizeMiB: 4096 });
const goUp: Act = (context) => up(context, upRequest(before), async () => sampleClosure(before));
const change: Act = (context) => up(context, upRequest(after), async () => sampleClosure(after, 'new'));
const goDown =
  (data: 'keep' | 'delete'): Act =>
  (context) =>
    down(context, { owner: 'default', name: 'shop', data });
const scaleTo =
  (web: number): Act =>
  (context) =>
    scale(context, { owner: 'default', name: 'shop', replicas: { web } });
const undo: Act = (context) => rollBack(context, { owner: 'default', name: 'shop' });

/** Writes all that exists and is recorded, but what differs from life to life. */
async function picture(house: House): Promise<string> {
  const things = await house.world.things();
  const records = await house.store.deployments();
  const [record] = records;
  const inventory = record ? await house.store.inventory(record.id) : [];
  const lines = [
    ...things.map((thing) => `${thing.kind} ${thing.key} ${thing.fingerprint !== null} ${titleOf(thing)}`),
    ...inventory.map((one) => `recorded ${one.kind} ${one.key} ${one.isSettled}`),
    ...records.map(
      (one) => `${one.name} ${one.spec.lifecycle} ${one.spec.blueprint.appliances[1]?.replicas}`,
    ),
    record ? `unfinished ${(await house.store.unfinished(record.id)).length}` : 'no deployment',
  ];
  return lines.join('\n');
}

function titleOf(thing: Thing): string {
  return thing.kind === 'instance' ? String(thing.state.scope.properties['title']) : '';
}

/**
 * Kills an act at its every moment, runs `rerun`, and compares with a life in which nobody was killed.
 *
 * Where `rerun` finds nothing to do, the act must not have begun, or be done.
 */
async function matrix(
  t: ExecutionContext,
  parts: {
    readonly given: readonly Act[];
    readonly act: Act;
    readonly rerun: Act;
    readonly likeAfter: readonly Act[];
  },
): Promise<void> {
  const expected = await pictureAfter(parts.likeAfter);
  const nothingToDo = [await pictureAfter(parts.given), await pictureAfter([...parts.given, parts.act])];
  for (let moment = 1; ; moment++) {
    const one = newHouse();
    for (const act of parts.given) await liveIn(one, act);
    const { wasKilled, moments } = await liveIn(one, parts.act, moment);
    const where = `killed at moment ${moment}, ${moments.at(-1)}`;
    if (!wasKilled) {
      t.true(moment > 20, 'a life has that many moments');
      one.leave();
      return;
    }
    if (await hasRerun(one, parts.rerun)) t.is(await picture(one), expected, where);
    else t.true(nothingToDo.includes(await picture(one)), where);
    one.leave();
  }
}

async function pictureAfter(acts: readonly Act[]): Promise<string> {
  const one = newHouse();
  for (const act of acts) await liveIn(one, act);
  const seen = await picture(one);
  one.leave();
  return seen;
}

async function hasRerun(house: House, act: Act): Promise<boolean> {
  try {
    await liveIn(house, act);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    if (code === 'DEPLOYMENT_MISSING' || code === 'INPUT_REFUSED') return false;
    throw error;
  }
}

test('up that was killed at any moment ends in the right state when it is run again', async (t) => {
  await matrix(t, { given: [], act: goUp, rerun: goUp, likeAfter: [goUp] });
});

test('a change that was killed at any moment ends in the right state when it is run again', async (t) => {
  await matrix(t, { given: [goUp], act: change, rerun: change, likeAfter: [goUp, change] });
});

test('down that was killed at any moment leaves nothing when it is run again', async (t) => {
  await matrix(t, { given: [goUp], act: goDown('delete'), rerun: goDown('delete'), likeAfter: [] });
});

test('down with kept data that was killed at any moment leaves the data when it is run again', async (t) => {
  await matrix(t, {
    given: [goUp],
    act: goDown('keep'),
    rerun: goDown('keep'),
    likeAfter: [goUp, goDown('keep')],
  });
});

test('up that was killed at any moment can be taken down', async (t) => {
  await matrix(t, { given: [], act: goUp, rerun: goDown('delete'), likeAfter: [] });
});

test('up that was killed at any moment can be undone', async (t) => {
  await matrix(t, { given: [], act: goUp, rerun: undo, likeAfter: [] });
});

test('a change that was killed at any moment can be undone', async (t) => {
  await matrix(t, { given: [goUp], act: change, rerun: undo, likeAfter: [goUp] });
});

test('scaling up that was killed at any moment ends in the right state when it is run again', async (t) => {
  await matrix(t, { given: [goUp], act: scaleTo(4), rerun: scaleTo(4), likeAfter: [goUp, scaleTo(4)] });
});

test('scaling up that was killed at any moment can be undone', async (t) => {
  await matrix(t, { given: [goUp], act: scaleTo(4), rerun: undo, likeAfter: [goUp] });
});

test('scaling down that was killed at any moment ends in the right state when it is run again', async (t) => {
  await matrix(t, { given: [goUp], act: scaleTo(1), rerun: scaleTo(1), likeAfter: [goUp, scaleTo(1)] });
});

test('scaling down that was killed at any moment can be undone', async (t) => {
  await matrix(t, { given: [goUp], act: scaleTo(1), rerun: undo, likeAfter: [goUp] });
});
