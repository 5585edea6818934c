import test, { type ExecutionContext } from 'ava';
import { isAside } from '../../engine/model/move.ts';
import { identityOf } from '../../engine/run/identity.ts';
import { type Act, confirm, discard, goFar, goUp, rollBack, undo } from './acts.ts';
import { type Frozen, newStreet, type PoolName, type Street } from './street.ts';
import { dataIn, isWorking, writeTo } from './writer.ts';

/** Somebody who writes whenever the application takes it, and remembers what was taken. */
type Writer = {
  readonly write: () => Promise<void>;
  readonly accepted: () => string;
  readonly faults: readonly string[];
};

/** @param taken - what was taken before */
function writerOf(street: Street, taken = ''): Writer {
  let accepted = taken;
  const faults: string[] = [];
  let last = Promise.resolve();
  return {
    accepted: () => accepted,
    faults,
    // one after the other, however many acts go on at once
    write: () => {
      last = last.then(writeOnce);
      return last;
    },
  };

  async function writeOnce(): Promise<void> {
    const working: PoolName[] = [];
    for (const pool of ['near', 'far'] as const) if (await isWorking(street, pool)) working.push(pool);
    if (working.length > 1) faults.push('two copies work at once');
    const [pool] = working;
    if (pool === undefined) return;
    const before = (await dataIn(street, pool)) ?? '';
    // who takes a write must have all that were taken before
    if (before !== accepted) faults.push(`${pool} has "${before}" of "${accepted}"`);
    const next = `${before}${before.length} `;
    await writeTo(street, pool, next, () => {
      accepted = next;
    });
  }
}

/** What a kill leaves, and what was taken by then. */
type Kill = { readonly moment: string; readonly left: Frozen; readonly taken: string };

/** Writes where the deployment is, what exists, and whether the records agree with it. */
async function picture(street: Street): Promise<string> {
  const records = await street.store.deployments();
  const lines = records.map(({ name, pool, spec }) => `${name} on ${pool}: ${spec.lifecycle}`);
  for (const pool of ['near', 'far'] as const) {
    const things = await street.worlds[pool].things();
    for (const { kind, key, fingerprint, deployment } of things) {
      const owner = records.find(({ id }) => id === deployment);
      lines.push(
        `${pool} has ${kind} ${key} of ${owner?.name ?? 'nobody'} ${fingerprint === null ? 'half' : 'whole'}`,
      );
    }
    for (const record of records.filter((one) => one.pool === pool)) {
      for (const { kind, key, isSettled } of await street.store.inventory(record.id))
        lines.push(`${pool} should have ${kind} ${key} of ${identityOf(record).name} ${isSettled}`);
      // of the old copy the next undo or the confirmation takes it over
      const unfinished = await street.store.unfinished(record.id);
      if (!isAside(record.name)) lines.push(`unfinished: ${unfinished.length}`);
    }
  }
  for (const { phase, direction } of await street.store.moves()) lines.push(`move: ${direction} ${phase}`);
  return lines.join('\n');
}

/**
 * Lets an act be killed at its every moment, carries out what follows, and compares with lives in which nobody was killed.
 *
 * A kill leaves what is written, and nothing else; so one life shows what all kills leave, and moments between which
 * nothing was written are one.
 */
async function matrix(
  t: ExecutionContext,
  parts: {
    readonly given: readonly Act[];
    readonly act: Act;
    readonly followedBy: (street: Street) => Promise<readonly Act[]>;
    readonly likeAfter: readonly (readonly Act[])[];
    readonly losesWrites?: boolean;
  },
): Promise<void> {
  const expected = await Promise.all(parts.likeAfter.map(pictureAfter));
  const life = newStreet();
  for (const act of parts.given) await life.live(act);
  const kills = new Map<string, Kill>();
  const writer = writerOf(life);
  const witness = (moment: string): void => {
    const left = life.freeze();
    if (!kills.has(left.digest)) kills.set(left.digest, { moment, left, taken: writer.accepted() });
  };
  await life.live(parts.act, { witness, interfere: writer.write });
  life.leave();
  t.true(kills.size > 20, 'a life has that many moments');
  const isFault = (fault: string): boolean => parts.losesWrites !== true || fault.startsWith('two copies');
  t.deepEqual(writer.faults.filter(isFault), []);

  for (const { moment, left, taken } of kills.values()) {
    const street = left.open();
    const later = writerOf(street, taken);
    for (const act of await parts.followedBy(street)) await street.live(act, { interfere: later.write });
    const seen = await picture(street);
    t.true(
      expected.includes(seen),
      `killed ${moment}:\n${seen}\n--- expected\n${expected.join('\n--- or\n')}`,
    );
    const [record] = await street.store.deployments();
    const data = (await dataIn(street, record?.pool === 'far' ? 'far' : 'near')) ?? '';
    if (parts.losesWrites !== true) {
      t.deepEqual(later.faults, [], `killed ${moment}`);
      t.is(data, later.accepted(), `killed ${moment}`);
    } else t.false(later.faults.includes('two copies work at once'), `killed ${moment}`);
    street.leave();
  }
}

async function pictureAfter(acts: readonly Act[]): Promise<string> {
  const street = newStreet();
  for (const act of acts) await street.live(act);
  const seen = await picture(street);
  street.leave();
  return seen;
}

const always =
  (...acts: readonly Act[]) =>
  async (): Promise<readonly Act[]> =>
    acts;

test('a move that was killed at any moment goes on when it is run again, and no write is lost', async (t) => {
  await matrix(t, { given: [goUp], act: goFar, followedBy: always(goFar), likeAfter: [[goUp, goFar]] });
});

test('a move that was killed at any moment returns before its commit point, and is undone after it; no write is lost', async (t) => {
  const backWhereItWas = async (street: Street): Promise<readonly Act[]> => {
    const found = await street.store.move('default', 'shop');
    if (found === undefined) return [];
    return found.committedAt === null ? [rollBack] : [undo];
  };
  await matrix(t, {
    given: [goUp],
    act: goFar,
    followedBy: backWhereItWas,
    likeAfter: [[goUp], [goUp, goFar, undo]],
  });
});

test('an undo that was killed at any moment goes on when it is run again, and no write is lost', async (t) => {
  await matrix(t, {
    given: [goUp, goFar],
    act: undo,
    followedBy: async (street) => ((await street.store.move('default', 'shop')) ? [undo] : []),
    likeAfter: [[goUp, goFar, undo]],
  });
});

test('an undo that was killed at any moment can be given up before its commit point', async (t) => {
  await matrix(t, {
    given: [goUp, goFar],
    act: undo,
    followedBy: async (street) => {
      const found = await street.store.move('default', 'shop');
      if (found === undefined) return [];
      const [valid] = await street.store.deployments();
      return found.direction === 'back' && valid?.pool === 'far'
        ? [rollBack, goFar]
        : found.phase === 'waiting'
          ? []
          : [undo];
    },
    likeAfter: [
      [goUp, goFar],
      [goUp, goFar, undo],
    ],
  });
});

test('an undo that discards and was killed at any moment goes on when it is run again', async (t) => {
  await matrix(t, {
    given: [goUp, goFar],
    act: discard,
    followedBy: async (street) => ((await street.store.move('default', 'shop')) ? [discard] : []),
    likeAfter: [[goUp, goFar, discard]],
    losesWrites: true,
  });
});

test('a confirmation that was killed at any moment goes on when it is run again', async (t) => {
  await matrix(t, {
    given: [goUp, goFar],
    act: confirm,
    followedBy: async (street) => ((await street.store.move('default', 'shop')) ? [confirm] : []),
    likeAfter: [[goUp, goFar, confirm]],
  });
});
