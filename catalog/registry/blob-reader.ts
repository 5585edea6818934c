import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { SeekableSource } from '../shelves/repository.ts';

/** Reads a blob part by part, mostly from front to back. */
export interface BlobReader {
  /** Gives exactly so many bytes. @throws EngineError CONTENT_MISMATCH when the source has fewer */
  take(offset: number, size: number): AsyncGenerator<Uint8Array>;
}

/** Opens a reader: parts that follow each other come of one stream, and anything else begins a new one. */
export function readBlob(blob: Descriptor, source: SeekableSource, signal: AbortSignal): BlobReader {
  let stream: AsyncIterator<Uint8Array> | undefined;
  let rest: Uint8Array = new Uint8Array();
  let at = 0;
  return {
    take: async function* (offset, size) {
      if (stream === undefined || at !== offset) {
        await stream?.return?.();
        stream = source.open(blob, signal, offset)[Symbol.asyncIterator]();
        rest = new Uint8Array();
        at = offset;
      }
      for (let left = size; left > 0; ) {
        if (rest.byteLength === 0) {
          const next = await stream.next();
          if (next.done === true)
            throw new EngineError(
              'CONTENT_MISMATCH',
              `${blob.digest} has fewer bytes than its descriptor says`,
              {
                details: { digest: blob.digest },
              },
            );
          rest = next.value;
          continue;
        }
        const part = rest.subarray(0, left);
        rest = rest.subarray(part.byteLength);
        left -= part.byteLength;
        at += part.byteLength;
        yield part;
      }
    },
  };
}
