import pLimit from 'p-limit';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { Report } from '../../engine/model/event.ts';
import type { BlobSource } from '../format/blob-source.ts';
import type { SeekableSource } from '../shelves/repository.ts';

/** What a transfer moved, and what it could leave out. */
export type Transferred = {
  /** That went over the wire. */
  readonly sentBytes: number;
  /** Of parts that the other side had, or could take from a neighbour. */
  readonly skippedBytes: number;
  readonly sentParts: number;
  readonly skippedParts: number;
};

const atOnce = 8;
const reportEveryMs = 200;

/**
 * Moves parts, eight at once, and tells how far it got.
 *
 * The first failure stops those that have not begun; those under way are waited for.
 *
 * @param move - tells whether the part had to be sent
 */
export async function transfer(
  parts: readonly Descriptor[],
  move: (part: Descriptor, moved: (bytes: number) => void) => Promise<boolean>,
  told: {
    readonly subject: string;
    readonly verb: string;
    readonly report: Report;
    readonly now: () => number;
  },
): Promise<Transferred> {
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  const result = { sentBytes: 0, skippedBytes: 0, sentParts: 0, skippedParts: 0 };
  let settled = 0;
  let moving = 0;
  let toldAt = 0;
  const tell = (): void => {
    if (told.now() - toldAt < reportEveryMs) return;
    toldAt = told.now();
    const percent = total === 0 ? 100 : Math.min(100, Math.floor((100 * (settled + moving)) / total));
    const message = `${percent} % of ${mebibytes(total)} ${told.verb}, ${mebibytes(result.skippedBytes)} were there`;
    told.report({ type: 'build', subject: told.subject, state: 'progress', message });
  };
  const limit = pLimit(atOnce);
  let failure: unknown;
  await Promise.allSettled(
    parts.map((part) =>
      limit(async () => {
        if (failure !== undefined) return;
        let moved = 0;
        try {
          const isSent = await move(part, (bytes) => {
            moved += bytes;
            moving += bytes;
            tell();
          });
          result[isSent ? 'sentBytes' : 'skippedBytes'] += part.size;
          result[isSent ? 'sentParts' : 'skippedParts'] += 1;
        } catch (error) {
          failure ??= error;
        } finally {
          moving -= moved;
          settled += part.size;
          tell();
        }
      }),
    ),
  );
  if (failure !== undefined) throw failure;
  return result;
}

/** Makes a source of any kind one that can be read from anywhere: what stands before is read and dropped. */
export function seekable(source: BlobSource): SeekableSource {
  return {
    open: async function* (blob, _, offset = 0) {
      let skip = offset;
      for await (const chunk of source.open(blob)) {
        const part = chunk.subarray(Math.min(skip, chunk.byteLength));
        skip -= chunk.byteLength - part.byteLength;
        if (part.byteLength > 0) yield part;
      }
    },
  };
}

/** Writes a number of bytes for people: `12.3 MiB`. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
