import { statfs } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { EngineError } from '../errors.ts';
import { formatSize } from '../units.ts';

/** How much of a disk a stranger's program may take. */
export type RoomLimits = {
  /** What it may take in all, as far as the free space tells. */
  readonly mostBytes: number;
  /** What has to stay free for everybody else. */
  readonly reserveBytes: number;
  /** Pause between two looks. */
  readonly pauseMs: number;
};

/** For set-up scripts of images: as much as one file of theirs may have, and room to tidy up in. */
export const usualRoom: RoomLimits = { mostBytes: 16 * 2 ** 30, reserveBytes: 2 ** 30, pauseMs: 250 };

/**
 * Runs something that may write many files, and ends it when they take too much of the disk.
 *
 * Limits of the kernel hold for single files only, and quotas take a file system that has them; so the free space is looked
 * at again and again, in which others' files count too.
 *
 * @param act - ends when its signal fires
 * @param freeBytes - of the disk
 * @throws EngineError IMAGE_FAILED when it took too much; whatever `act` throws
 */
export async function keepingRoom<T>(
  act: (signal: AbortSignal) => Promise<T>,
  freeBytes: () => Promise<number>,
  { mostBytes, reserveBytes, pauseMs }: RoomLimits,
  signal: AbortSignal,
): Promise<T> {
  const least = Math.max(reserveBytes, (await freeBytes()) - mostBytes);
  const over = new AbortController();
  const done = new AbortController();
  const watching = (async () => {
    while (!done.signal.aborted) {
      if ((await freeBytes()) < least) over.abort();
      await pause(pauseMs, undefined, { signal: done.signal }).catch(() => undefined);
    }
  })();
  try {
    return await act(AbortSignal.any([signal, over.signal]));
  } catch (error) {
    if (!over.signal.aborted || signal.aborted) throw error;
    throw new EngineError(
      'IMAGE_FAILED',
      `the set-up script was ended: it takes more than ${formatSize(mostBytes)}, or leaves less than ${formatSize(reserveBytes)} of the disk`,
      { hint: 'Have it write less, or free some space when the disk is nearly full.', cause: error },
    );
  } finally {
    done.abort();
    await watching;
  }
}

/** Gives the free space of the disk on which a folder lies. */
export async function freeSpace(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
