import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
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

/**
 * Takes over a file that a process which no longer runs was writing, or that lies in the parent itself to be gone on
 * with. Of several who want it one gets it.
 *
 * To be called ahead of {@link openProcessFolder}, which removes what nobody took.
 *
 * @param parent - there already
 * @param name - how the file's name begins
 * @returns where it is now, in this process's folder; undefined when there was none
 */
export async function claimLeftover(parent: string, name: string): Promise<string | undefined> {
  const own = ownFolder(parent);
  await mkdir(own, { recursive: true, mode: 0o700 });
  for (const each of await readdir(parent)) {
    if (hasLivingOwner(each)) continue;
    const inside = await readdir(join(parent, each)).catch(() => []);
    const left = inside.find((file) => file.startsWith(name));
    if (left === undefined && !each.startsWith(name)) continue;
    const claimed = join(own, `${name}-${randomUUID()}`);
    try {
      await rename(join(parent, each, left ?? ''), claimed);
      return claimed;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error; // somebody else has it
    }
  }
  return undefined;
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
