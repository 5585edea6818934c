import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { orDiskFull } from '../../disk-full.ts';
import type { Seed } from '../../render/seed.ts';

/**
 * Writes a cloud-init NoCloud seed as an ISO 9660 image that only its owner may read.
 *
 * It holds an instance's secrets, so it lies in the runtime folder, in memory.
 *
 * @param path - its folder exists and is of mode 0700
 */
export async function writeSeedDisk(path: string, seed: Seed, signal: AbortSignal): Promise<void> {
  const parts = `${path}.parts`;
  try {
    await rm(parts, { recursive: true, force: true });
    await mkdir(parts, { mode: 0o700 });
    await writeFile(join(parts, 'meta-data'), seed.metaData, { mode: 0o600 });
    await writeFile(join(parts, 'network-config'), seed.networkConfig, { mode: 0o600 });
    await writeFile(join(parts, 'user-data'), seed.userData, { mode: 0o600 });
    // Rock Ridge and Joliet keep the names' lower case and hyphens
    const options = ['-quiet', '-volid', 'cidata', '-rational-rock', '-joliet'];
    await writeFile(path, '', { mode: 0o600 });
    await runCommand('genisoimage', [...options, '-output', path, parts], { signal });
    await chmod(path, 0o600);
  } catch (error) {
    throw orDiskFull(error, path);
  } finally {
    await rm(parts, { recursive: true, force: true });
  }
}
