import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { orDiskFull } from '../../disk-full.ts';
import type { DriverContext } from './context.ts';
import { exists } from './disks.ts';
import { settle } from './files.ts';
import { objectPath } from './layout.ts';

/** Gives the path of a volume's qcow2 file. */
export function volumePath(context: DriverContext, deployment: string, key: string): string {
  return objectPath(context.layout, deployment, 'volume', key, '.qcow2');
}

/** Makes a volume when it is not there. What it holds is never touched. */
export async function ensureVolume(
  context: DriverContext,
  deployment: string,
  key: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const path = volumePath(context, deployment, key);
  if (!(await exists(path))) await makeVolume(context, path, sizeBytes, signal);
}

/**
 * Makes an empty ext4 in a qcow2 file, in the place of whatever was there.
 *
 * The file system is written by mkfs into a sparse file; it is never mounted on the host.
 */
export async function makeVolume(
  context: DriverContext,
  path: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const draft = join(context.drafts, crypto.randomUUID());
  try {
    const raw = await open(`${draft}.raw`, 'wx', 0o600);
    try {
      await raw.truncate(sizeBytes);
    } finally {
      await raw.close();
    }
    // the file is full of zeros, so inode tables need neither to be written now nor by the guest later
    const options = ['-E', 'assume_storage_prezeroed=1,nodiscard,root_owner=0:0', '-m', '0'];
    await runCommand('mkfs.ext4', ['-q', '-F', ...options, `${draft}.raw`], { signal });
    await runCommand('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', `${draft}.raw`, `${draft}.qcow2`], {
      signal,
    });
    await settle(`${draft}.qcow2`, path);
  } catch (error) {
    throw orDiskFull(error, context.drafts);
  } finally {
    await rm(`${draft}.raw`, { force: true });
    await rm(`${draft}.qcow2`, { force: true });
  }
}
