import { watch } from 'node:fs';
import { type FileHandle, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../system-code.ts';
import { consoleParts, openConsole } from './console.ts';

const chunkBytes = 64 * 2 ** 10;
const lookAgainMs = 500;

/**
 * Streams a console, oldest bytes first, over its rotated parts.
 *
 * @param follow - goes on until the signal fires or `isOver` says that nothing more will come
 */
export async function* readConsole(
  path: string,
  options: { readonly follow: boolean; readonly signal: AbortSignal; readonly isOver: () => boolean },
): AsyncGenerator<Uint8Array> {
  for (const part of await consoleParts(path)) if (part !== path) yield* readOnce(part);
  let file = await openIfThere(path);
  try {
    for (;;) {
      const isLast = !options.follow || options.isOver() || options.signal.aborted;
      if (file !== undefined) {
        yield* readRest(file);
        const next = await successor(file, path);
        if (next !== undefined) {
          yield* readRest(file); // what came between the last read and the rotation
          await file.close();
          file = next;
          continue;
        }
      }
      if (isLast) return;
      await somethingNew(path, options.signal);
      file ??= await openIfThere(path);
    }
  } finally {
    await file?.close();
  }
}

async function* readOnce(path: string): AsyncGenerator<Uint8Array> {
  const file = await openIfThere(path);
  if (file === undefined) return;
  try {
    yield* readRest(file);
  } finally {
    await file.close();
  }
}

async function* readRest(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = Buffer.alloc(chunkBytes);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Opens the file that took another's name, if one did. */
async function successor(file: FileHandle, path: string): Promise<FileHandle | undefined> {
  try {
    if ((await stat(path)).ino === (await file.stat()).ino) return undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined; // between two names, or removed
    throw error;
  }
  return await openIfThere(path);
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await openConsole(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Waits until the console's folder changes; looks again after a while anyway, for the end of the machine changes no file. */
async function somethingNew(path: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, lookAgainMs);
  signal.addEventListener('abort', () => resolve(), { once: true });
  let watcher: ReturnType<typeof watch> | undefined;
  try {
    watcher = watch(dirname(path), () => resolve());
    watcher.on('error', () => resolve());
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  await promise;
  watcher?.close();
  clearTimeout(timer);
}
