import pLimit from 'p-limit';
import { type MoveRecord, sidesOf } from '../model/move.ts';
import { identityOf } from '../run/identity.ts';
import { type MoveContext, type PassKind, sideContext, type VolumePair } from './context.ts';
import { needRecord } from './sides.ts';

// each is a stream through two guests already
const volumesAtOnce = 2;
/** What is small enough to be carried while nobody works. */
const smallBytes = 16 * 2 ** 20;
const mostPasses = 5;

/**
 * Copies all data volumes while the copy that works goes on working, again and again until little is left to carry.
 *
 * Ends, too, when a pass carries hardly less than the one before: who changes data as fast as they are carried is held in the end.
 * The last of these passes looks at all data on both sides once more, which would take too long when nobody works.
 */
export async function copyWhileRunning(context: MoveContext, move: MoveRecord): Promise<void> {
  let before = Number.POSITIVE_INFINITY;
  for (let pass = 1; pass <= mostPasses; pass++) {
    const carried = await copyAll(context, move, pass, 'next');
    if (carried <= smallBytes || carried > before * 0.7) break;
    before = carried;
  }
  await copyAll(context, move, mostPasses + 1, 'whole');
}

/** Copies what changed since, from one held copy to the other, and compares both. */
export async function copyTheRest(context: MoveContext, move: MoveRecord): Promise<void> {
  await copyAll(context, move, 0, 'last');
}

async function copyAll(
  context: MoveContext,
  move: MoveRecord,
  pass: number,
  kind: PassKind,
): Promise<number> {
  const { report, signal, store, copyVolume } = context;
  const { name } = move;
  const { from, to } = sidesOf(move);
  const [source, target] = await Promise.all(
    [from, to].map(async (side): Promise<VolumePair['from']> => {
      const { driver } = await sideContext(context, move, side.pool);
      return { driver, deployment: identityOf(await needRecord(context, move, side)) };
    }),
  );
  if (!source || !target) return 0;
  const inventory = await store.inventory(move.source.deployment);
  const volumes = inventory.flatMap((one) =>
    one.kind === 'instance' ? one.state.volumes.filter(({ kind }) => kind === 'data') : [],
  );
  const limit = pLimit(volumesAtOnce);
  const figures = await Promise.all(
    volumes.map(({ key }) =>
      limit(async () => {
        const told = { type: 'copy', deployment: name, volume: key, pass, isLast: kind === 'last' } as const;
        report({ ...told, state: 'started', bytes: 0 });
        const progress = (bytes: number): void => report({ ...told, state: 'progress', bytes });
        const figure = await copyVolume({ key, from: source, to: target, signal, progress }, kind);
        report({ ...told, state: 'done', bytes: figure.bytesCarried });
        return figure.bytesCarried;
      }),
    ),
  );
  return figures.reduce((sum, bytes) => sum + bytes, 0);
}
