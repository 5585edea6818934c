import { rm, writeFile } from 'node:fs/promises';
import { orDiskFull } from '../../disk-full.ts';
import { isoDisk } from '../../formats/iso.ts';
import type { Seed } from '../../render/seed.ts';

/**
 * Writes a cloud-init NoCloud seed as an ISO 9660 image that only its owner may read.
 *
 * It holds an instance's secrets, so it lies in the runtime folder, in memory.
 *
 * @param path - its folder exists and is of mode 0700
 */
export async function writeSeedDisk(path: string, seed: Seed): Promise<void> {
  const disk = isoDisk('cidata', [
    ['meta-data', seed.metaData],
    ['network-config', seed.networkConfig],
    ['user-data', seed.userData],
  ]);
  try {
    await rm(path, { force: true });
    await writeFile(path, disk, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw orDiskFull(error, path);
  }
}
