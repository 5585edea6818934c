import type { Blobs } from '../model/blob.ts';
import type { PackedSource } from '../model/packed-source.ts';

/** Reads a packed source's texts out of the store where they lie there: a delta brings only those that its base lacks. */
export function orStored(packed: PackedSource, blobs: Pick<Blobs, 'has' | 'read'>): PackedSource {
  return {
    list: packed.list,
    digest: packed.digest,
    readFile: async (digest) =>
      (await blobs.has(digest)) ? await blobs.read(digest) : await packed.readFile(digest),
    storeParts: (store, call) => packed.storeParts(store, call),
    close: () => packed.close(),
  };
}
