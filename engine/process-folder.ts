import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { currentProcess, isAlive } from './process-identity.ts';

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
  const { pid, startTicks, bootId } = currentProcess();
  const folder = join(parent, `${pid}-${startTicks}-${bootId}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function hasLivingOwner(name: string): boolean {
  const match = /^(\d+)-(\d+)-([0-9a-f-]*)$/.exec(name);
  const [, pid, startTicks, bootId] = match ?? [];
  if (pid === undefined || startTicks === undefined || bootId === undefined) return false;
  return isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId });
}
