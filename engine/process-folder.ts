import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { currentProcess, isAlive } from './process-identity.ts';
import { systemCode } from './system-code.ts';

/**
 * Makes a folder for the unfinished files of this process, and removes those of processes that no longer run.
 *
 * A killed process can tidy nothing, so its leftovers go when the next one comes. The folder's name is the
 * identity of its owner, which makes the decision safe between processes that start at the same time.
 *
 * @param parent - holds nothing but such folders; made (0700) when absent
 * @returns the folder `PARENT/PID-START-BOOT`, mode 0700; the same at every call in one process
 */
export async function openProcessFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  for (const name of await readdir(parent)) {
    if (!hasLivingOwner(name)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = ownFolder(parent);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Removes this process's folder when nothing is in it; whoever opened it must be done with it. */
export async function closeProcessFolder(parent: string): Promise<void> {
  try {
    await rmdir(ownFolder(parent));
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error;
  }
}

function ownFolder(parent: string): string {
  const { pid, startTicks, bootId } = currentProcess();
  return join(parent, `${pid}-${startTicks}-${bootId}`);
}

function hasLivingOwner(name: string): boolean {
  const match = /^(\d+)-(\d+)-([0-9a-f-]*)$/.exec(name);
  const [, pid, startTicks, bootId] = match ?? [];
  if (pid === undefined || startTicks === undefined || bootId === undefined) return false;
  return isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId });
}
