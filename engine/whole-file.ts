import { lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { orDiskFull } from './disk-full.ts';
import { EngineError } from './errors.ts';
import { orNotWritable } from './not-writable.ts';
import { systemCode } from './system-code.ts';

/** Makes a folder, and those above it, that only its owner may enter. @throws EngineError DISK_FULL, ROOT_REQUIRED */
export async function makeFolder(path: string): Promise<void> {
  await withDiskErrors(path, () => mkdir(path, { recursive: true, mode: 0o700 }));
}

/**
 * Writes a file that is either whole or as it was before, whenever the machine stops. Its folder is made when absent.
 *
 * The unfinished file has a fixed name beside it, so that what a kill leaves is overwritten by the next attempt.
 *
 * @param mode - of a new file, less what the process's umask takes away
 * @throws EngineError DISK_FULL, ROOT_REQUIRED
 */
export async function writeWhole(path: string, content: string, mode = 0o600): Promise<void> {
  const unfinished = `${path}.new`;
  await withDiskErrors(dirname(path), async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      const file = await open(unfinished, 'w', mode);
      try {
        await file.writeFile(content);
      } finally {
        await file.close();
      }
      await settle(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
  });
}

/** Syncs a finished file and gives it its name, lastingly. The name's folder is made when absent. @throws EngineError DISK_FULL, ROOT_REQUIRED, FILE_UNUSABLE */
export async function settle(unfinished: string, path: string): Promise<void> {
  await withDiskErrors(dirname(path), async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await syncPath(unfinished);
    await refuseOther(path);
    await rename(unfinished, path);
    await syncPath(dirname(path));
  });
}

/** Makes sure that no folder and no device, such as `/dev/null`, is replaced by a file. */
async function refuseOther(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined || there.isFile() || there.isSymbolicLink()) return;
  const what = there.isDirectory() ? 'a folder' : 'a device, a pipe or a socket';
  throw new EngineError('FILE_UNUSABLE', `${path} is ${what}, not a file`, {
    hint: 'Name a file that does not exist yet, or one to be replaced.',
    details: { path },
  });
}

/** Removes a folder and those above it, up to `top` (which stays), as far as they are empty. */
export async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  for (let path = folder; path.startsWith(`${top}/`); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') continue;
      return; // something still lives there
    }
  }
}

async function withDiskErrors(folder: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    throw orNotWritable(orDiskFull(error, folder), folder);
  }
}

/** Writes a file, or the names in a folder, through to the disk. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
