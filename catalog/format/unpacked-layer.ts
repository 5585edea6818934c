import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { layerUnpacker } from '../../engine/formats/layer-unpacker.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import { isBomb } from '../../engine/model/packing-list.ts';
import { refusal } from './refusals.ts';

/**
 * Passes a layer's bytes on, and unpacks them beside to see that they can be, to how much, and to what.
 *
 * @param diffId - of the tar that the layer must unpack to; undefined when nobody says
 * @throws EngineError BUNDLE_TOO_LARGE, BUNDLE_UNREADABLE, BUNDLE_CONTRADICTORY, as the stream's error
 */
export async function* watchLayer(
  part: Descriptor,
  content: AsyncIterable<Uint8Array>,
  diffId: Digest | undefined,
): AsyncGenerator<Uint8Array> {
  const unpacker = layerUnpacker(part.mediaType);
  const measuring = measure(part, unpacker);
  measuring.catch(() => undefined); // told where it is awaited
  let fault: { readonly cause: unknown } | undefined;
  const noteFault = (cause: unknown): void => {
    if (cause instanceof EngineError) throw cause;
    fault ??= { cause };
  };
  try {
    for await (const chunk of content) {
      if (fault === undefined && !unpacker.write(chunk))
        await Promise.race([once(unpacker, 'drain'), measuring]).catch(noteFault);
      yield chunk;
    }
    // so far the bytes could still have been damaged, which their digest tells better than what unpacks them
    if (fault === undefined) unpacker.end();
    const found = await measuring.catch(noteFault);
    if (fault !== undefined)
      throw refusal('BUNDLE_UNREADABLE', `holds the layer ${part.digest}, which cannot be unpacked`, fault);
    if (diffId !== undefined && found !== diffId)
      throw refusal(
        'BUNDLE_CONTRADICTORY',
        `holds the layer ${part.digest}, which does not unpack to what its image says`,
      );
  } finally {
    unpacker.destroy();
  }
}

async function measure(part: Descriptor, unpacker: Duplex): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of unpacker) {
    bytes += chunk.length;
    hash.update(chunk);
    if (isBomb(part.size, bytes))
      throw refusal(
        'BUNDLE_TOO_LARGE',
        `holds the layer ${part.digest}, whose ${part.size} bytes unpack to ${bytes} and more`,
      );
  }
  return `sha256:${hash.digest('hex')}`;
}
