import type { Readable } from 'node:stream';
import type { Digest } from '../digest.ts';

/** Names bytes before they are read; nothing is believed about them until digest and size were checked. */
export type Descriptor = {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
};

/** Bytes by digest. Every write is verified, synced and then renamed into place, so a blob that exists is whole. */
export interface Blobs {
  has(digest: Digest): Promise<boolean>;
  /** @returns size in bytes, or undefined when absent */
  size(digest: Digest): Promise<number | undefined>;
  /** @throws EngineError BLOB_CORRUPT when absent or of another digest. Reads it whole: for small blobs. */
  read(digest: Digest): Promise<Uint8Array>;
  /** Opens a stream of the stored bytes; the digest is checked when the end is reached. */
  open(digest: Digest): Readable;
  /** Stores small content. Idempotent. */
  write(content: Uint8Array | string): Promise<Digest>;
  /** Stores a stream; memory does not grow with its length. */
  writeStream(
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  /**
   * Stores several blobs, all or none: each is held against its descriptor before the first gets its name.
   *
   * @throws EngineError BLOB_CORRUPT, DISK_FULL; whatever a content throws
   */
  writeAll(
    parts: Iterable<{ readonly part: Descriptor; readonly content: () => AsyncIterable<Uint8Array> }>,
  ): Promise<void>;
  /** Where a verified blob lies on this machine's disk, for tools that want a file. Read-only. */
  path(digest: Digest): string;
}

/** Names given to digests in the store, such as `image/<digest of its source>`; the value was verified when it was set. */
export interface Refs {
  get(name: string): Digest | undefined;
  set(name: string, digest: Digest): void;
}
