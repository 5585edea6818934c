import type { BlockRange, ListedEntry, VolumeChange, VolumeEntry } from '../model/volume.ts';
import { blockCount, isSameThing, isSettledAlike, plainEntry } from './entries.ts';
import { merge } from './merge.ts';

/** Blocks of a file that differ; the rest of the file is as it shall be. */
export type FileDifference = {
  readonly path: string;
  /** Runs of blocks to be carried: first and count. */
  readonly runs: readonly (readonly [number, number])[];
};

/** One thing to do to a volume: a change, or blocks that are fetched and written into the file that was opened last. */
export type PlannedChange = VolumeChange | { readonly kind: 'carry'; readonly range: BlockRange };

/** Blocks that are fetched at once. */
const blocksAtOnce = 16;

/**
 * Finds what makes a volume what a list says. Pure, and the same each time.
 *
 * @param wanted - the list
 * @param present - what lies in the volume
 * @param differences - of every file that is in both and may differ; such a file without one has the right bytes
 */
export async function* planChanges(
  wanted: AsyncIterable<VolumeEntry | ListedEntry>,
  present: AsyncIterable<ListedEntry>,
  differences: AsyncIterable<FileDifference>,
): AsyncGenerator<PlannedChange> {
  const open: { readonly entry: VolumeEntry; isTouched: boolean }[] = [];
  let removed: string | undefined;
  const leave = function* (path: string | undefined): Generator<PlannedChange> {
    for (let last = open.at(-1); last && !isIn(last.entry.path, path); last = open.at(-1)) {
      if (last.isTouched) yield { kind: 'settle', entry: last.entry };
      open.pop();
    }
  };
  const touch = (): void => {
    const last = open.at(-1);
    if (last) last.isTouched = true;
  };
  for await (const { path, items } of merge<[VolumeEntry | ListedEntry, ListedEntry, FileDifference]>(
    wanted,
    present,
    differences,
  )) {
    const [entry, found, difference] = items;
    const isGone = found !== undefined && removed !== undefined && isIn(removed, path);
    const there = isGone ? undefined : found;
    yield* leave(path);
    if (entry === undefined) {
      if (there === undefined) continue;
      yield { kind: 'remove', path };
      removed = path;
      touch();
      continue;
    }
    const plain = 'ctime' in entry ? plainEntry(entry) : entry;
    const isKept = there !== undefined && isSameThing(plain, there);
    if (there !== undefined && !isKept) {
      yield { kind: 'remove', path };
      removed = path;
    }
    if (!isKept) touch();
    yield* changesOf(plain, isKept ? there : undefined, difference);
    if (plain.kind === 'folder')
      open.push({ entry: plain, isTouched: !isKept || !isSettledAlike(plain, there) });
  }
  yield* leave(undefined);
}

/** Lists what has to be done to one entry. */
function* changesOf(
  entry: VolumeEntry,
  there: ListedEntry | undefined,
  difference: FileDifference | undefined,
): Generator<PlannedChange> {
  const { path, size } = entry;
  if (entry.kind === 'folder') {
    if (!there) yield { kind: 'make', entry };
    return; // it is settled after all that is in it
  }
  if (entry.linkTo !== undefined || entry.kind !== 'file') {
    if (there && entry.linkTo !== undefined) return;
    if (!there) yield { kind: 'make', entry };
    if (entry.linkTo === undefined && !(there && isSettledAlike(entry, there)))
      yield { kind: 'settle', entry };
    return;
  }
  const runs: FileDifference['runs'] = there ? (difference?.runs ?? []) : [[0, blockCount(size)]];
  const isRight = there !== undefined && there.size === size && runs.length === 0;
  if (!isRight) {
    yield { kind: 'open', path, size };
    for (const [first, count] of runs) {
      for (let at = first; at < first + count; at += blocksAtOnce)
        yield {
          kind: 'carry',
          range: { path, first: at, count: Math.min(blocksAtOnce, first + count - at) },
        };
    }
  }
  if (!isRight || !isSettledAlike(entry, there)) yield { kind: 'settle', entry };
}

function isIn(folder: string, path: string | undefined): boolean {
  if (path === undefined) return false;
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}
