import { canonicalJson } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { BlockRange, ListedEntry, Mark, VolumeAccess, VolumeChange } from '../model/volume.ts';
import { blockBytes, comparePaths, pathText } from '../model/volume.ts';
import { blockCount, isSameThing, plainEntry } from './entries.ts';
import { merge } from './merge.ts';
import { type FileDifference, type PlannedChange, planChanges } from './plan-changes.ts';
import type { SavedBlock, SavedEntry } from './saved-entry.ts';
import { type Spool, spool } from './spool.ts';

/** A saved volume, and the one that shall become as it was. */
export type LoadRequest = {
  readonly entries: Spool<SavedEntry>;
  /** Of the marks in the entries. */
  readonly key: string;
  /** Gives the bytes of a saved block, verified. */
  readonly readBlock: (block: NonNullable<SavedBlock>) => Promise<Uint8Array>;
  /** Of an instance that is held. */
  readonly target: VolumeAccess;
  /** Its key, for messages. */
  readonly volume: string;
  readonly scratch: string;
  readonly progress?: (bytes: number) => void;
};

const marksAtOnce = 1024;

/**
 * Makes a volume what was saved, and verifies by marks of what lies on its disk that it is.
 *
 * What is right already stays, so it goes on after a kill.
 *
 * @throws EngineError of the access and of `readBlock`; VOLUME_UNUSABLE when it is not the same in the end
 */
export async function loadVolume(request: LoadRequest): Promise<void> {
  const { entries, key, target, scratch } = request;
  const present = await spool(scratch, target.list());
  try {
    const differences = await spool(scratch, compareSaved(request, present));
    try {
      const plan = planChanges(plainEntries(entries), present.items(), differences.items());
      await target.apply(key, changesOf(request, plan));
    } finally {
      await differences.remove();
    }
  } finally {
    await present.remove();
  }
  await verify(request);
}

async function* plainEntries(entries: Spool<SavedEntry>) {
  for await (const { blocks: _blocks, ...entry } of entries.items()) yield plainEntry(entry);
}

/** Finds the blocks of files in the volume that are not as they were saved. */
async function* compareSaved(
  { entries, key, target }: LoadRequest,
  present: Spool<ListedEntry>,
): AsyncGenerator<FileDifference> {
  const both = async function* (): AsyncGenerator<SavedEntry> {
    for await (const { items } of merge<[SavedEntry, ListedEntry]>(entries.items(), present.items())) {
      const [saved, there] = items;
      if (saved?.blocks !== undefined && there && isSameThing(saved, there)) yield saved;
    }
  };
  for await (const { entry, marks } of withMarks(target, key, both)) {
    const runs: [number, number][] = [];
    for (const [index, block] of (entry.blocks ?? []).entries()) {
      if (marks[index] === (block?.mark ?? '')) continue;
      const last = runs.at(-1);
      if (last && last[0] + last[1] === index) last[1] += 1;
      else runs.push([index, 1]);
    }
    if (runs.length > 0) yield { path: entry.path, runs };
  }
}

async function* withMarks(
  target: VolumeAccess,
  key: string,
  files: () => AsyncGenerator<SavedEntry>,
): AsyncGenerator<{ readonly entry: SavedEntry; readonly marks: readonly Mark[] }> {
  const ranges = async function* (): AsyncGenerator<BlockRange> {
    for await (const entry of files()) yield* rangesOf(entry);
  };
  const answers = target.marks(key, ranges())[Symbol.asyncIterator]();
  try {
    for await (const entry of files()) {
      const marks: Mark[] = [];
      for (const _ of rangesOf(entry)) {
        const answer = await answers.next();
        if (!answer.done) for (const mark of answer.value) marks.push(mark);
      }
      yield { entry, marks };
    }
    await answers.next(); // ends the act in good order
  } finally {
    await answers.return?.(undefined);
  }
}

function* rangesOf({ path, size }: SavedEntry): Generator<BlockRange> {
  const blocks = blockCount(size);
  for (let first = 0; first < blocks; first += marksAtOnce)
    yield { path, first, count: Math.min(marksAtOnce, blocks - first) };
}

async function* changesOf(
  { entries, readBlock, progress }: LoadRequest,
  plan: AsyncIterable<PlannedChange>,
): AsyncGenerator<VolumeChange> {
  const saved = entries.items();
  let current: SavedEntry | undefined;
  let bytes = 0;
  try {
    for await (const change of plan) {
      if (change.kind !== 'carry') {
        yield change;
        continue;
      }
      const { path, first, count } = change.range;
      while (current === undefined || comparePaths(current.path, path) < 0) {
        const next = await saved.next();
        if (next.done) break;
        current = next.value;
      }
      for (let index = first; index < first + count; index++) {
        const block = current?.blocks?.[index] ?? null;
        if (block === null || current === undefined) {
          yield { kind: 'clear', index, count: 1 };
          continue;
        }
        const content = await readBlock(block);
        const size = Math.min(blockBytes, current.size - index * blockBytes);
        yield { kind: 'write', index, block: { mark: block.mark, bytes: content.subarray(0, size), size } };
        bytes += size;
        progress?.(bytes);
      }
    }
  } finally {
    await saved.return(undefined);
  }
}

async function verify({ entries, key, target, volume, scratch }: LoadRequest): Promise<void> {
  const now = await spool(scratch, target.list());
  try {
    for await (const { path, items } of merge<[SavedEntry, ListedEntry]>(entries.items(), now.items())) {
      const [saved, there] = items;
      if (saved === undefined || there === undefined) throw differs(volume, path);
      const { blocks: _blocks, ...entry } = saved;
      if (canonicalJson(plainEntry(entry)) !== canonicalJson(plainEntry(there))) throw differs(volume, path);
    }
    const files = async function* (): AsyncGenerator<SavedEntry> {
      for await (const entry of entries.items()) if (entry.blocks !== undefined) yield entry;
    };
    for await (const { entry, marks } of withMarks(target, key, files)) {
      const blocks = entry.blocks ?? [];
      const isRight =
        marks.length === blocks.length &&
        blocks.every((block, index) => (block?.mark ?? '') === marks[index]);
      if (!isRight) throw differs(volume, entry.path);
    }
  } finally {
    await now.remove();
  }
}

function differs(volume: string, path: string): EngineError {
  return new EngineError(
    'VOLUME_UNUSABLE',
    `${pathText(path)} in the volume ${volume} is not what was saved`,
    {
      hint: 'Run it again; should it happen again, look at the disk.',
      details: { volume },
    },
  );
}
