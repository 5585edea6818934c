import { canonicalJson } from '../digest.ts';
import type { BlockRange, ListedEntry, VolumeAccess } from '../model/volume.ts';
import { blockCount, plainEntry } from './entries.ts';
import { merge } from './merge.ts';
import { spool } from './spool.ts';

const blocksAtOnce = 1024;

/**
 * Compares two volumes entry by entry and block by block, by marks of what is really on their disks.
 *
 * @param most - ends the search when so many have been found
 * @returns paths that differ, in order; empty when the volumes are equal
 */
export async function compareVolumes(
  one: VolumeAccess,
  other: VolumeAccess,
  { key, scratch, most = 20 }: { readonly key: string; readonly scratch: string; readonly most?: number },
): Promise<readonly string[]> {
  const first = await spool(scratch, one.list());
  const second = await spool(scratch, other.list());
  const differ: string[] = [];
  try {
    for await (const { path, items } of merge<[ListedEntry, ListedEntry]>(first.items(), second.items())) {
      const [a, b] = items;
      const isEqual = a && b && canonicalJson(plainEntry(a)) === canonicalJson(plainEntry(b));
      if (!isEqual && differ.push(path) >= most) return differ;
    }
    if (differ.length > 0) return differ;
    // the lists are equal, so both are asked for the same ranges
    const marks = one.marks(key, rangesOf(first.items()))[Symbol.asyncIterator]();
    const others = other.marks(key, rangesOf(first.items()))[Symbol.asyncIterator]();
    try {
      for await (const range of rangesOf(first.items())) {
        const [a, b] = await Promise.all([marks.next(), others.next()]);
        const isEqual = canonicalJson(a.value) === canonicalJson(b.value);
        if (!isEqual && differ.at(-1) !== range.path && differ.push(range.path) >= most) return differ;
      }
      await Promise.all([marks.next(), others.next()]);
    } finally {
      await Promise.all([marks.return?.(undefined), others.return?.(undefined)]);
    }
    return differ;
  } finally {
    await first.remove();
    await second.remove();
  }
}

async function* rangesOf(entries: AsyncIterable<ListedEntry>): AsyncGenerator<BlockRange> {
  for await (const { path, kind, size, linkTo } of entries) {
    if (kind !== 'file' || linkTo !== undefined) continue;
    const blocks = blockCount(size);
    for (let at = 0; at < blocks; at += blocksAtOnce)
      yield { path, first: at, count: Math.min(blocksAtOnce, blocks - at) };
  }
}
