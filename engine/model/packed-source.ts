import type { Digest } from '../digest.ts';
import type { Blobs } from './blob.ts';
import type { Report } from './event.ts';
import type { PackingList } from './packing-list.ts';

/** What a packed source is given while it works. */
export type PackedCall = { readonly signal: AbortSignal; readonly report: Report };

/** An application that comes packed, out of a bundle or a catalog, instead of out of a folder. */
export interface PackedSource {
  readonly list: PackingList;
  /** The identity: of the list's canonical JSON. */
  readonly digest: Digest;
  /** Reads a text that the list names, of the description or of an image; digest and size are verified. */
  readFile(digest: Digest): Promise<Uint8Array>;
  /**
   * Stores every part that the list names and the store lacks, all verified before the first is stored.
   *
   * @throws EngineError BUNDLE_INCOMPLETE when a part is neither here nor stored
   */
  storeParts(blobs: Blobs, call: PackedCall): Promise<void>;
  close(): Promise<void>;
}

/** Opens what a user names as a source, when it is packed; undefined when it is a folder or a description. */
export type OpenPacked = (source: string, call: PackedCall) => Promise<PackedSource | undefined>;
