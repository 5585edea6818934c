import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import { lossesOf } from '../formats/layer.ts';
import type { LayerLosses } from '../formats/layer-tree.ts';
import { layerUnpacker } from '../formats/layer-unpacker.ts';
import type { Descriptor } from '../model/blob.ts';
import type { BuildContext } from './context.ts';
import { unreadable } from './json-blob.ts';

/**
 * Unpacks a stored layer of others once, to know that it can become a disk, and what of it is lost then.
 *
 * @param diffId - of the tar inside, as the image's configuration says
 * @throws EngineError BLOB_CORRUPT when it is no layer, or another than the configuration names; OPERATION_INTERRUPTED
 */
export async function checkLayer(
  layer: Descriptor,
  diffId: Digest,
  { blobs, signal }: Pick<BuildContext, 'blobs' | 'signal'>,
): Promise<LayerLosses> {
  const unpacker = layerUnpacker(layer.mediaType);
  // a failure is seen where the content is read
  pipeline(blobs.open(layer.digest), unpacker, () => undefined);
  const hash = createHash('sha256');
  const losses = await lossesOf(hashed(unpacker, hash, signal));
  if (`sha256:${hash.digest('hex')}` !== diffId)
    throw unreadable(layer.digest, `unpacks to another tar than ${diffId}, which its image names`);
  return losses;
}

async function* hashed(
  content: AsyncIterable<Uint8Array>,
  hash: { update: (chunk: Uint8Array) => unknown },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    if (signal.aborted)
      throw new EngineError('OPERATION_INTERRUPTED', 'looking at a layer was stopped on request');
    hash.update(chunk);
    yield chunk;
  }
}
