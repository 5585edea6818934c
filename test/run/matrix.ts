import type { ExecutionContext } from 'ava';
import type { Thing } from '../../engine/drivers/memory/world.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { type House, houseLike, newHouse } from './house.ts';
import { liveIn } from './life.ts';

/** What one life of the program does, or what happens between two. */
export type Act = (context: RunContext, house: House) => Promise<unknown>;

/** Writes all that exists and is recorded, but what differs from life to life. */
export async function picture(house: House): Promise<string> {
  const things = await house.world.things();
  const records = await house.store.deployments();
  const [record] = records;
  const inventory = record ? await house.store.inventory(record.id) : [];
  const lines = [
    ...(await Promise.all(things.map((thing) => lineOf(house, thing)))),
    ...inventory.map((one) => `recorded ${one.kind} ${one.key} ${one.isSettled}`),
    ...records.map(
      ({ name, spec }) =>
        `${name} ${spec.lifecycle} ${spec.blueprint.application.version} ${spec.blueprint.appliances[1]?.replicas}`,
    ),
    record ? `unfinished ${(await house.store.unfinished(record.id)).length}` : 'no deployment',
  ];
  // a snapshot is named by the operation that took it, which may be the second that tried
  return lines.join('\n').replaceAll(/@\d+ /g, '@ ');
}

async function lineOf({ world }: House, thing: Thing): Promise<string> {
  const { kind, key, fingerprint, deployment } = thing;
  const title = thing.kind === 'instance' ? String(thing.state.scope.properties['title']) : '';
  const held = thing.kind === 'volume' ? (await world.files(deployment, key)).list() : [];
  const files = await Promise.all(
    held.map(
      async ({ path }) => `${path}=${(await world.files(deployment, key)).content(path)?.toString() ?? ''}`,
    ),
  );
  return [kind, key, fingerprint !== null, title, ...files].join(' ').trim();
}

// hundreds of lives, on a machine that may be busy
const patienceMs = 300_000;

/** A matrix: an act that is killed at its every moment, and what is done then. */
export type Matrix = {
  readonly given: readonly Act[];
  readonly act: Act;
  readonly rerun: Act;
  /** The lives of one in whose house nobody was killed. */
  readonly likeAfter: readonly Act[];
  /** Other ends that are right, where the act may have been done when it was killed. */
  readonly orAfter?: readonly (readonly Act[])[];
};

/**
 * Kills an act at its every moment, runs `rerun`, and compares with a life in which nobody was killed.
 *
 * Where `rerun` finds nothing to do, the act must not have begun, or be done.
 */
export async function killedEverywhere(t: ExecutionContext, parts: Matrix): Promise<void> {
  t.timeout(patienceMs);
  const likes = [parts.likeAfter, ...(parts.orAfter ?? [])];
  const expected: string[] = [];
  for (const acts of likes) expected.push(await pictureAfter(acts));
  const nothingToDo = [await pictureAfter(parts.given), await pictureAfter([...parts.given, parts.act])];
  const start = newHouse();
  for (const act of parts.given) await live(start, act);
  for (let moment = 1; ; moment++) {
    const house = await houseLike(start);
    const { wasKilled, moments } = await liveIn(house, (context) => parts.act(context, house), moment);
    const where = `killed at moment ${moment}, ${moments.at(-1)}`;
    if (!wasKilled) {
      t.true(moment > 20, 'a life has that many moments');
      house.leave();
      start.leave();
      return;
    }
    const allowed = (await hasRerun(house, parts.rerun)) ? expected : nothingToDo;
    const seen = await picture(house);
    if (allowed.length === 1) t.is(seen, allowed[0] ?? '', where);
    else t.true(allowed.includes(seen), `${where}\n${seen}`);
    house.leave();
  }
}

async function pictureAfter(acts: readonly Act[]): Promise<string> {
  const house = newHouse();
  for (const act of acts) await live(house, act);
  const seen = await picture(house);
  house.leave();
  return seen;
}

async function live(house: House, act: Act): Promise<void> {
  await liveIn(house, (context) => act(context, house));
}

async function hasRerun(house: House, act: Act): Promise<boolean> {
  try {
    await live(house, act);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    if (code === 'DEPLOYMENT_MISSING' || code === 'INPUT_REFUSED') return false;
    throw error;
  }
}
