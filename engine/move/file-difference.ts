import {
  type BlockRange,
  blockBytes,
  type ListedEntry,
  type Mark,
  type VolumeAccess,
} from '../model/volume.ts';

// 4 MiB: enough to keep the guest busy, little enough to be answered soon
const blocksAtOnce = 64;

/** Tells how many blocks a file of a size has. */
export function blocksOf(size: number): number {
  return Math.ceil(size / blockBytes);
}

/** Tells how many bytes a block of a file of a size has. */
export function sizeOfBlock(size: number, index: number): number {
  return Math.min(blockBytes, size - index * blockBytes);
}

/** Splits a file's blocks into ranges that are asked for one by one. */
export function* rangesOf({ path, size }: Pick<ListedEntry, 'path' | 'size'>): Generator<BlockRange> {
  const count = blocksOf(size);
  for (let first = 0; first < count; first += blocksAtOnce)
    yield { path, first, count: Math.min(blocksAtOnce, count - first) };
}

/**
 * Finds the blocks of some files that are not the same on both sides, by marks under one key.
 *
 * @param files - as the source lists them; one that the target does not have has no marks there
 * @returns by path, in ascending order; files without such blocks are absent
 */
export async function differingBlocks(
  source: VolumeAccess,
  target: VolumeAccess,
  key: string,
  files: readonly ListedEntry[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const differing = new Map<string, number[]>();
  const theirs = source.marks(key, each(files))[Symbol.asyncIterator]();
  const ours = target.marks(key, each(files))[Symbol.asyncIterator]();
  for (const file of files) {
    for (const range of rangesOf(file)) {
      const [wanted, found] = await Promise.all([theirs.next(), ours.next()]);
      const there: readonly Mark[] = wanted.done ? [] : wanted.value;
      const here: readonly Mark[] = found.done ? [] : found.value;
      for (let index = 0; index < range.count; index++) {
        if (there[index] !== undefined && there[index] === here[index]) continue;
        const blocks = differing.get(file.path) ?? [];
        blocks.push(range.first + index);
        differing.set(file.path, blocks);
      }
    }
  }
  // lets both come to their ends
  await Promise.all([theirs.next(), ours.next()]);
  return differing;
}

async function* each(files: readonly ListedEntry[]): AsyncGenerator<BlockRange> {
  for (const file of files) yield* rangesOf(file);
}
