import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import { type TarSource, writeTar } from '../formats/tar.ts';
import type { Blobs, Descriptor } from '../model/blob.ts';

/** A stored layer: the gzipped tar, and the digest of the tar itself, by which OCI configurations know it. */
export type StoredLayer = { readonly layer: Descriptor; readonly diffId: Digest };

/** The media type of gzipped layers, which old Docker Engines read too. */
export const layerMediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';

// measured on a base layer of 53 MiB: 1 gives 22.1 MB in 1.4 s, 4 gives 20.9 in 1.7, 6 gives 20.5 in 2.3, 9 gives 20.4 in 5.8
const gzipLevel = 4;

/**
 * Packs entries into a gzipped layer in the store. Same entries, same bytes; memory does not grow with them.
 *
 * @throws EngineError DISK_FULL, OPERATION_INTERRUPTED, and whatever the entries throw
 */
export async function storeLayer(
  entries: AsyncIterable<TarSource>,
  blobs: Blobs,
  signal: AbortSignal,
): Promise<StoredLayer> {
  const hash = createHash('sha256');
  const gzip = createGzip({ level: gzipLevel });
  const packed = new PassThrough();
  const counted = async function* (tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar) {
      hash.update(chunk);
      yield chunk;
    }
  };
  // either side's failure ends the other, and what the writer then throws is the first cause
  const packing = pipeline(writeTar(entries), counted, gzip, packed, { signal });
  packing.catch(() => undefined);
  const stored = await blobs.writeStream(packed).catch((cause: unknown) => {
    throw signal.aborted ? interrupted(cause) : cause;
  });
  await packing;
  return {
    layer: { mediaType: layerMediaType, ...stored },
    diffId: `sha256:${hash.digest('hex')}`,
  };
}

function interrupted(cause: unknown): EngineError {
  return new EngineError('OPERATION_INTERRUPTED', 'packing a layer was stopped on request', {
    hint: 'Run the same command again to go on.',
    cause,
  });
}
