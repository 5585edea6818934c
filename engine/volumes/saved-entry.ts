import type { Digest } from '../digest.ts';
import type { ListedEntry, Mark } from '../model/volume.ts';

/** Where a block of a file is kept; null for a block of zeros. */
export type SavedBlock = {
  readonly digest: Digest;
  /** Under the key of its volume. */
  readonly mark: Mark;
  /** 0 is the archive that says this; 1 and on are those that it is based on. */
  readonly archive: number;
  readonly pack: number;
  readonly offset: number;
  /** Bytes in the pack, compressed. */
  readonly length: number;
} | null;

/** An entry of a volume as it was saved; of a file with its own bytes, where they are. */
export type SavedEntry = ListedEntry & { readonly blocks?: readonly SavedBlock[] };
