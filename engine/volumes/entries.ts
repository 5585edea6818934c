import { canonicalJson } from '../digest.ts';
import { blockBytes, type ListedEntry, type VolumeEntry } from '../model/volume.ts';

/** Gives an entry without what only its own volume knows. */
export function plainEntry({ ctime: _ctime, inode: _inode, ...entry }: ListedEntry): VolumeEntry {
  return entry;
}

/** Counts the blocks of a file. */
export function blockCount(size: number): number {
  return Math.ceil(size / blockBytes);
}

/** Tells whether two entries have the same owner, rights, attributes and time. */
export function isSettledAlike(a: VolumeEntry, b: VolumeEntry): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.mtime !== b.mtime) return false;
  return canonicalJson(a.attributes ?? {}) === canonicalJson(b.attributes ?? {});
}

/** Tells whether what is there can become what is wanted without being made anew. */
export function isSameThing(wanted: VolumeEntry, present: VolumeEntry): boolean {
  if (wanted.kind !== present.kind || wanted.linkTo !== present.linkTo) return false;
  switch (wanted.kind) {
    case 'folder':
    case 'file':
      return true;
    case 'symlink':
      // another name of what may have been made anew is made anew, too
      return wanted.linkTo === undefined && wanted.target === present.target;
    case 'fifo':
      return wanted.linkTo === undefined;
    default:
      return wanted.kind satisfies never;
  }
}

const racyNanoseconds = 1_000_000_000n;

/**
 * Tells whether a file was surely not touched since an earlier list.
 *
 * Times go in ticks: what was changed in the last moment before the list may have been changed again in the same tick, so
 * whatever is as young as the youngest of that list counts as touched.
 */
export function isUntouched(now: ListedEntry, before: ListedEntry | undefined, youngest: bigint): boolean {
  if (before === undefined || before.kind !== now.kind || before.inode !== now.inode) return false;
  if (before.size !== now.size || before.mtime !== now.mtime || before.ctime !== now.ctime) return false;
  return BigInt(before.ctime) < youngest - racyNanoseconds;
}
