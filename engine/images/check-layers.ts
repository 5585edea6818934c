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
 * Unpacks the stored layers of an image of others once, to know that they can become a disk, and what of them is lost then.
 *
 * @param layers - lowest first, each with the digest of the tar inside, as the image's configuration says
 * @throws EngineError BLOB_CORRUPT when one is no layer, or another than the configuration names; OPERATION_INTERRUPTED
 */
export async function checkLayers(
  layers: readonly { readonly layer: Descriptor; readonly diffId: Digest }[],
  { blobs, signal }: Pick<BuildContext, 'blobs' | 'signal'>,
): Promise<LayerLosses> {
  return await lossesOf(
    layers.map(({ layer, diffId }) => () => {
      const unpacker = layerUnpacker(layer.mediaType);
      // a failure is seen where the content is read
      pipeline(blobs.open(layer.digest), unpacker, () => undefined);
      return held(unpacker, layer, diffId, signal);
    }),
  );
}

/** Passes a tar on, and fails at its end when it is another than its image names. */
async function* held(
  tar: AsyncIterable<Uint8Array>,
  layer: Descriptor,
  diffId: Digest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of tar) {
    if (signal.aborted)
      throw new EngineError('OPERATION_INTERRUPTED', 'looking at a layer was stopped on request');
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== diffId)
    throw unreadable(layer.digest, `unpacks to another tar than ${diffId}, which its image names`);
}
