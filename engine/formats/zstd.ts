import { Duplex, pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50; // and the fifteen that follow it
const dictionaryBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];
const repeatedByte = 1;

/**
 * Makes a stream that unpacks zstd: all frames of what is written to it, where Node's own stops after the first that ends
 * within a chunk.
 */
export function unpackZstd(): Duplex {
  return Duplex.from(async function* (packed: AsyncIterable<Uint8Array>) {
    const content = createZstdDecompress();
    pipeline(Readable.from(zstdFrames(packed)), content, () => undefined); // a failure is seen where content is read
    yield* content;
  });
}

/**
 * Cuts a zstd stream where its frames end, and leaves out the skippable ones.
 *
 * Node's decompressor stops at the end of a frame and drops what else stands in the same chunk, without an error; but it
 * goes on with the next chunk. Layers for lazy pulling (zstd:chunked) have many frames, and some compressors begin with one
 * that only tells a size. What is no frame is passed on, for the decompressor to refuse.
 *
 * @source RFC 8878, sections 3.1.1 and 3.1.2
 */
async function* zstdFrames(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = packed[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  const holds = async (bytes: number): Promise<boolean> => {
    while (held.length < bytes) {
      const { value, done } = await input.next();
      if (done === true) return false;
      held = Buffer.concat([held, value]);
    }
    return true;
  };
  const take = async function* (bytes: number): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0 && (await holds(1)); ) {
      const piece = held.subarray(0, left);
      held = held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  };

  while (await holds(5)) {
    const magic = held.readUInt32LE(0);
    if (magic >>> 4 === skippableMagic >>> 4 && (await holds(8))) {
      for await (const _ of take(8 + held.readUInt32LE(4)));
      continue;
    }
    if (magic !== frameMagic) break;
    const descriptor = held.readUInt8(4);
    yield* take(5 + headerBytes(descriptor));
    for (let isLast = false; !isLast && (await holds(3)); ) {
      const block = held.readUIntLE(0, 3);
      isLast = (block & 1) === 1;
      yield* take(3 + (((block >>> 1) & 3) === repeatedByte ? 1 : block >>> 3));
    }
    if ((descriptor & 4) !== 0) yield* take(4);
  }
  do {
    if (held.length > 0) yield held;
    held = Buffer.alloc(0);
  } while (await holds(1));
}

/** Counts the bytes between a frame's descriptor and its first block. */
function headerBytes(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0;
  const contentSize = contentSizeBytes[descriptor >>> 6] ?? 0;
  return (
    (isSingle ? 0 : 1) +
    (dictionaryBytes[descriptor & 3] ?? 0) +
    (isSingle && contentSize === 0 ? 1 : contentSize)
  );
}
