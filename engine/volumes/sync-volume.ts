import {
  type BlockRange,
  blockBytes,
  type ListedEntry,
  type Mark,
  type ReadBlock,
  type VolumeAccess,
  type VolumeChange,
} from '../model/volume.ts';
import { blockCount, isSameThing, isUntouched } from './entries.ts';
import { merge } from './merge.ts';
import { type FileDifference, type PlannedChange, planChanges } from './plan-changes.ts';
import { emptySpool, type Spool, spool } from './spool.ts';

/** What was found of a volume at the beginning of a pass; the next pass compares with it. Keeps a file until it is removed. */
export type PassMemory = {
  readonly list: Spool<ListedEntry>;
  /** The latest time of change in it, in nanoseconds since 1970. */
  readonly youngest: bigint;
};

/** How far a pass came. */
export type SyncProgress = {
  readonly phase: 'listing' | 'comparing' | 'carrying';
  /** Bytes that were compared or carried by now. */
  readonly bytes: number;
};

/** Two volumes of which the second shall become as the first. */
export type SyncRequest = {
  readonly source: VolumeAccess;
  /** Of an instance that is held. */
  readonly target: VolumeAccess;
  /** 64 random hex digits, chosen once for the two volumes; whoever knows them could make blocks that look equal. */
  readonly key: string;
  /** Folder of this process for lists. */
  readonly scratch: string;
  /** What the last pass of these two volumes gave. Without it all files that both have are compared block by block. */
  readonly previous?: PassMemory;
  readonly progress?: (progress: SyncProgress) => void;
};

/** What a pass did. */
export type SyncPass = {
  readonly entries: number;
  /** Bytes of all files of the source. */
  readonly bytes: number;
  /** Bytes of the blocks that were carried. */
  readonly carriedBytes: number;
  readonly changes: number;
  readonly memory: PassMemory;
};

/** Blocks that are marked at once: 64 MiB. */
const blocksAtOnce = 1024;

/**
 * Makes a volume as another one is, carrying only the blocks that differ.
 *
 * While the source's services run, what changes meanwhile is found by the next pass; when they stand still, the target is exactly
 * the source when this returns. Each block is held against its keyed mark on both sides. After a kill, doing it again goes on:
 * what lies in the target already is compared, not carried.
 *
 * @throws EngineError of the two accesses; DISK_FULL for the scratch folder
 */
export async function syncVolume(request: SyncRequest): Promise<SyncPass> {
  const { source, target, key, scratch, previous, progress } = request;
  progress?.({ phase: 'listing', bytes: 0 });
  const counted = { entries: 0, bytes: 0, youngest: 0n };
  const list = await spool(scratch, counting(source.list(), counted));
  const present = await spool(scratch, target.list());
  let isDone = false;
  try {
    const doubtful = (): AsyncGenerator<Doubtful> => findDoubtful(list, present, previous);
    const differences = await spool(scratch, compare(request, doubtful));
    try {
      const plan = (): AsyncGenerator<PlannedChange> =>
        planChanges(list.items(), present.items(), differences.items());
      const carried = { bytes: 0, changes: 0 };
      const blocks = source.read(key, rangesOf(plan()))[Symbol.asyncIterator]();
      try {
        await target.apply(key, changesOf(plan(), blocks, carried, progress));
        await blocks.next(); // ends the act in good order
      } finally {
        await blocks.return?.(undefined);
      }
      isDone = true;
      const { entries, bytes, youngest } = counted;
      return {
        ...{ entries, bytes, carriedBytes: carried.bytes, changes: carried.changes },
        memory: { list, youngest },
      };
    } finally {
      await differences.remove();
    }
  } finally {
    await present.remove();
    if (!isDone) await list.remove();
  }
}

async function* counting(
  entries: AsyncIterable<ListedEntry>,
  counted: { entries: number; bytes: number; youngest: bigint },
): AsyncGenerator<ListedEntry> {
  for await (const entry of entries) {
    counted.entries += 1;
    if (entry.linkTo === undefined) counted.bytes += entry.size;
    const changed = BigInt(entry.ctime);
    if (changed > counted.youngest) counted.youngest = changed;
    yield entry;
  }
}

/** A file that both have and that may differ; blocks of each. */
type Doubtful = { readonly path: string; readonly wanted: number; readonly present: number };

async function* findDoubtful(
  list: Spool<ListedEntry>,
  present: Spool<ListedEntry>,
  previous: PassMemory | undefined,
): AsyncGenerator<Doubtful> {
  const before = previous?.list ?? emptySpool<ListedEntry>();
  for await (const { path, items } of merge<[ListedEntry, ListedEntry, ListedEntry]>(
    list.items(),
    present.items(),
    before.items(),
  )) {
    const [wanted, there, earlier] = items;
    if (!wanted || !there || wanted.kind !== 'file' || wanted.linkTo !== undefined) continue;
    if (!isSameThing(wanted, there)) continue;
    const isCarried = there.size === wanted.size && there.mtime === wanted.mtime;
    if (isCarried && previous && isUntouched(wanted, earlier, previous.youngest)) continue;
    yield { path, wanted: blockCount(wanted.size), present: blockCount(there.size) };
  }
}

/** Compares the marks of doubtful files on both sides, which work at the same time. */
async function* compare(
  { source, target, key, progress }: SyncRequest,
  doubtful: () => AsyncGenerator<Doubtful>,
): AsyncGenerator<FileDifference> {
  const wantedMarks = source.marks(key, rangesOfDoubtful(doubtful()))[Symbol.asyncIterator]();
  const presentMarks = target.marks(key, rangesOfDoubtful(doubtful()))[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for await (const file of doubtful()) {
      const runs: [number, number][] = [];
      for (let first = 0; first < file.wanted; first += blocksAtOnce) {
        const [wanted, present] = await Promise.all([wantedMarks.next(), presentMarks.next()]);
        const marks = wanted.done ? [] : wanted.value;
        addRuns(runs, first, marks, present.done ? [] : present.value);
        bytes += marks.length * 2 ** 16;
        progress?.({ phase: 'comparing', bytes });
      }
      if (runs.length > 0) yield { path: file.path, runs };
    }
    await Promise.all([wantedMarks.next(), presentMarks.next()]); // ends both acts in good order
  } finally {
    await Promise.all([wantedMarks.return?.(undefined), presentMarks.return?.(undefined)]);
  }
}

async function* rangesOfDoubtful(doubtful: AsyncIterable<Doubtful>): AsyncGenerator<BlockRange> {
  for await (const { path, wanted } of doubtful) {
    for (let first = 0; first < wanted; first += blocksAtOnce)
      yield { path, first, count: Math.min(blocksAtOnce, wanted - first) };
  }
}

function addRuns(
  runs: [number, number][],
  first: number,
  wanted: readonly Mark[],
  present: readonly Mark[],
): void {
  for (const [index, mark] of wanted.entries()) {
    if (present[index] === mark) continue;
    const last = runs.at(-1);
    if (last && last[0] + last[1] === first + index) last[1] += 1;
    else runs.push([first + index, 1]);
  }
}

async function* rangesOf(plan: AsyncIterable<PlannedChange>): AsyncGenerator<BlockRange> {
  for await (const change of plan) if (change.kind === 'carry') yield change.range;
}

async function* changesOf(
  plan: AsyncIterable<PlannedChange>,
  runs: AsyncIterator<readonly ReadBlock[]>,
  carried: { bytes: number; changes: number },
  progress: SyncRequest['progress'],
): AsyncGenerator<VolumeChange> {
  let size = 0;
  for await (const change of plan) {
    carried.changes += 1;
    if (change.kind !== 'carry') {
      if (change.kind === 'open') size = change.size;
      yield change;
      continue;
    }
    const run = await runs.next();
    // a file that has become shorter meanwhile is found by the next pass
    const { first, count } = change.range;
    const found = run.done ? [] : run.value;
    if (found.every((block) => block.mark === '')) {
      yield { kind: 'clear', index: first, count };
      continue;
    }
    for (const [offset, block] of found.entries()) {
      // so is one that has grown: what lies behind its listed end has no place yet
      if ((first + offset) * blockBytes + block.size > size) continue;
      carried.bytes += block.bytes.byteLength;
      if (block.mark === '') yield { kind: 'clear', index: first + offset, count: 1 };
      else yield { kind: 'write', index: first + offset, block };
    }
    progress?.({ phase: 'carrying', bytes: carried.bytes });
  }
}
