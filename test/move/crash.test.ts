import test, { type ExecutionContext } from 'ava';
import { isAside } from '../../engine/model/move.ts';
import { identityOf } from '../../engine/run/identity.ts';
import { type Act, confirm, discard, goFar, goUp, rollBack, undo } from './acts.ts';
import { newStreet, type PoolName, type Street } from './street.ts';
import { dataIn, isWorking, writeTo } from './writer.ts';

/** Somebody who writes whenever the application takes it, and remembers what was taken. */
type Writer = {
  readonly write: () => Promise<void>;
  readonly accepted: () => string;
  readonly faults: readonly string[];
};

function writerOf(street: Street): Writer {
  let accepted = '';
  let count = 0;
  const faults: string[] = [];
  return {
    accepted: () => accepted,
    faults,
    write: async () => {
      const working: PoolName[] = [];
      for (const pool of ['near', 'far'] as const) if (await isWorking(street, pool)) working.push(pool);
      if (working.length > 1) faults.push('two copies work at once');
      const [pool] = working;
      if (pool === undefined) return;
      const before = (await dataIn(street, pool)) ?? '';
      // who takes a write must have all that were taken before
      if (before !== accepted) faults.push(`${pool} has "${before}" of "${accepted}"`);
      const next = `${before}${++count} `;
      if (await writeTo(street, pool, next)) accepted = next;
    },
  };
}

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

/** Kills an act at its every moment, carries out what follows, and compares with lives in which nobody was killed. */
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
  const given = newStreet();
  for (const act of parts.given) await given.live(act);
  for (let moment = 1; ; moment++) {
    const street = await given.copy();
    const writer = writerOf(street);
    const interfere = writer.write;
    const { wasKilled, moments } = await street.live(parts.act, { lastMoment: moment, interfere });
    const where = `killed at moment ${moment}, ${moments.at(-1)}`;
    if (!wasKilled) {
      t.true(moment > 20, 'a life has that many moments');
      street.leave();
      given.leave();
      return;
    }
    for (const act of await parts.followedBy(street)) await street.live(act, { interfere });
    const seen = await picture(street);
    t.true(expected.includes(seen), `${where}:\n${seen}\n--- expected\n${expected.join('\n--- or\n')}`);
    const [record] = await street.store.deployments();
    if (parts.losesWrites !== true) {
      t.deepEqual(writer.faults, [], where);
      t.is((await dataIn(street, record?.pool === 'far' ? 'far' : 'near')) ?? '', writer.accepted(), where);
    } else t.false(writer.faults.includes('two copies work at once'), where);
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
