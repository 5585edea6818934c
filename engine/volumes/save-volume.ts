import type { BlockRange, ListedEntry, ReadBlock, VolumeAccess } from '../model/volume.ts';
import { blockBytes } from '../model/volume.ts';
import { blockCount, isUntouched } from './entries.ts';
import { merge } from './merge.ts';
import type { PackWriter } from './pack-writer.ts';
import type { FileDifference } from './plan-changes.ts';
import type { SavedBlock, SavedEntry } from './saved-entry.ts';
import { emptySpool, type Spool, spool } from './spool.ts';

/** A volume as it was saved. */
export type SavedVolume = {
  readonly entries: Spool<SavedEntry>;
  /** The latest time of change in it, in nanoseconds since 1970. */
  readonly youngest: bigint;
};

/** What is saved, and what is known of it from before. */
export type SaveRequest = {
  readonly volume: VolumeAccess;
  /** Of the marks, 64 hex digits; the same as that of `previous`. */
  readonly key: string;
  readonly previous?: SavedVolume;
  readonly packs: PackWriter;
  readonly scratch: string;
  /** Is told now and then how many bytes were read. */
  readonly progress?: (bytes: number) => void;
};

const marksAtOnce = 1024;
const blocksAtOnce = 16;

/**
 * Saves what lies in a volume: its entries, and the blocks that are not saved yet.
 *
 * Files that were not touched since are not read, of others only the blocks whose marks are new. While somebody writes, what
 * is saved is of no one moment; another pass, with this one as `previous`, finds what has changed.
 *
 * @throws EngineError of the access; DISK_FULL
 */
export async function saveVolume(request: SaveRequest): Promise<SavedVolume> {
  const { volume, key, previous, packs, scratch } = request;
  let youngest = 0n;
  const list = await spool(
    scratch,
    (async function* (): AsyncGenerator<ListedEntry> {
      for await (const entry of volume.list()) {
        const changed = BigInt(entry.ctime);
        if (changed > youngest) youngest = changed;
        yield entry;
      }
    })(),
  );
  const before = previous?.entries ?? emptySpool<SavedEntry>();
  try {
    const differences = await spool(scratch, findDifferences(request, list, before));
    try {
      const toRead = (): AsyncGenerator<Reading> => readings(list, before, differences, previous?.youngest);
      const blocks = volume.read(key, rangesOf(toRead()))[Symbol.asyncIterator]();
      try {
        const entries = await spool(scratch, savedEntries(toRead(), blocks, packs, request.progress));
        await blocks.next(); // ends the act in good order
        return { entries, youngest };
      } finally {
        await blocks.return?.(undefined);
      }
    } finally {
      await differences.remove();
    }
  } finally {
    await list.remove();
  }
}

/** An entry, what is kept of it from before, and the runs of its blocks that are to be read. */
type Reading = {
  readonly entry: ListedEntry;
  readonly kept: readonly SavedBlock[];
  readonly runs: FileDifference['runs'];
};

function hasBlocks(entry: ListedEntry | undefined): entry is ListedEntry {
  return entry?.kind === 'file' && entry.linkTo === undefined;
}

async function* readings(
  list: Spool<ListedEntry>,
  before: Spool<SavedEntry>,
  differences: Spool<FileDifference>,
  youngest: bigint | undefined,
): AsyncGenerator<Reading> {
  for await (const { items } of merge<[ListedEntry, SavedEntry, FileDifference]>(
    list.items(),
    before.items(),
    differences.items(),
  )) {
    const [entry, earlier, difference] = items;
    if (entry === undefined) continue;
    if (!hasBlocks(entry)) yield { entry, kept: [], runs: [] };
    else if (earlier?.blocks === undefined) yield { entry, kept: [], runs: [[0, blockCount(entry.size)]] };
    else if (youngest !== undefined && isUntouched(entry, earlier, youngest))
      yield { entry, kept: earlier.blocks, runs: [] };
    else yield { entry, kept: earlier.blocks, runs: difference?.runs ?? [] };
  }
}

/** Asks for the marks of files that are known from before and may have changed. */
async function* findDifferences(
  { volume, key, previous }: SaveRequest,
  list: Spool<ListedEntry>,
  before: Spool<SavedEntry>,
): AsyncGenerator<FileDifference> {
  if (previous === undefined) return;
  const doubtful = async function* (): AsyncGenerator<readonly [ListedEntry, readonly SavedBlock[]]> {
    for await (const { items } of merge<[ListedEntry, SavedEntry]>(list.items(), before.items())) {
      const [entry, earlier] = items;
      if (!hasBlocks(entry) || earlier?.blocks === undefined) continue;
      if (!isUntouched(entry, earlier, previous.youngest)) yield [entry, earlier.blocks];
    }
  };
  const ranges = async function* (): AsyncGenerator<BlockRange> {
    for await (const [{ path, size }] of doubtful()) yield* rangesIn(path, 0, blockCount(size), marksAtOnce);
  };
  const marks = volume.marks(key, ranges())[Symbol.asyncIterator]();
  try {
    for await (const [{ path, size }, known] of doubtful()) {
      const runs: [number, number][] = [];
      for (const { first, count } of rangesIn(path, 0, blockCount(size), marksAtOnce)) {
        const found = await marks.next();
        const now = found.done ? [] : found.value;
        for (let index = first; index < first + count; index++) {
          const block = known[index];
          const mark = block === undefined ? undefined : (block?.mark ?? '');
          if (mark !== undefined && mark === now[index - first]) continue;
          const last = runs.at(-1);
          if (last && last[0] + last[1] === index) last[1] += 1;
          else runs.push([index, 1]);
        }
      }
      if (runs.length > 0) yield { path, runs };
    }
    await marks.next(); // ends the act in good order
  } finally {
    await marks.return?.(undefined);
  }
}

function* rangesIn(path: string, first: number, count: number, atOnce: number): Generator<BlockRange> {
  for (let at = first; at < first + count; at += atOnce)
    yield { path, first: at, count: Math.min(atOnce, first + count - at) };
}

async function* rangesOf(all: AsyncIterable<Reading>): AsyncGenerator<BlockRange> {
  for await (const { entry, runs } of all)
    for (const [first, count] of runs) yield* rangesIn(entry.path, first, count, blocksAtOnce);
}

async function* savedEntries(
  all: AsyncIterable<Reading>,
  blocks: AsyncIterator<readonly ReadBlock[]>,
  packs: PackWriter,
  progress: SaveRequest['progress'],
): AsyncGenerator<SavedEntry> {
  let bytes = 0;
  for await (const { entry, kept, runs } of all) {
    if (!hasBlocks(entry)) {
      yield entry;
      continue;
    }
    const saved = kept.slice(0, blockCount(entry.size));
    let { size } = entry;
    for (const [first, count] of runs) {
      for (const range of rangesIn(entry.path, first, count, blocksAtOnce)) {
        const found = await blocks.next();
        const run = found.done ? [] : found.value;
        for (const [offset, block] of run.entries()) {
          saved[range.first + offset] = await packs.add(block);
          bytes += block.size;
        }
        // it has become shorter while it was read
        if (run.length < range.count) size = Math.min(size, (range.first + run.length) * blockBytes);
        progress?.(bytes);
      }
    }
    const { length } = { length: blockCount(size) };
    yield { ...entry, size, blocks: Array.from({ length }, (_, index) => saved[index] ?? null) };
  }
}
