import { chmod, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { orDiskFull } from '../../disk-full.ts';
import { EngineError } from '../../errors.ts';
import { readDiskHeader } from '../../formats/qcow2.ts';
import { formatSize } from '../../units.ts';
import { settle } from '../../whole-file.ts';
import type { DriverContext } from './context.ts';
import { exists } from './disks.ts';
import { objectPath } from './layout.ts';
import { type LentFiles, withoutRights } from './without-rights.ts';

const copyTimeoutMs = 3_600_000;

/** Gives the path of a volume's qcow2 file. */
export function volumePath(context: DriverContext, deployment: string, key: string): string {
  return objectPath(context.layout, deployment, 'volume', key, '.qcow2');
}

/**
 * Makes a volume when it is not there, and lets one grow that is smaller; what it holds is never lost.
 *
 * @param keepAside - is waited for before the file is replaced, for the sake of the snapshots in it
 * @throws EngineError INPUT_REFUSED when it is larger already
 */
export async function ensureVolume(
  context: DriverContext,
  deployment: string,
  key: string,
  sizeBytes: number,
  { keepAside, signal }: { readonly keepAside: () => Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const path = volumePath(context, deployment, key);
  if (!(await exists(path))) {
    await makeVolume(context, path, sizeBytes, signal);
    return;
  }
  const hasBytes = await volumeSize(path);
  if (sizeBytes > hasBytes) {
    await keepAside();
    await growVolume(context, path, sizeBytes, signal);
  }
  if (sizeBytes < hasBytes)
    throw new EngineError(
      'INPUT_REFUSED',
      `volume ${key} has ${formatSize(hasBytes)} and cannot shrink to ${formatSize(sizeBytes)}`,
      { hint: `Leave its size at ${formatSize(hasBytes)}.` },
    );
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
  await throughRaw(context, path, signal, async (raw) => {
    await writeFile(raw, '', { mode: 0o600, flag: 'wx' });
    await truncate(raw, sizeBytes);
    // the file is full of zeros, so inode tables need neither to be written now nor by the guest later
    const options = ['-E', 'assume_storage_prezeroed=1,nodiscard,root_owner=0:0', '-m', '0'];
    await runCommand('mkfs.ext4', ['-q', '-F', ...options, raw], { signal });
  });
}

/**
 * Reads the size of a volume, and makes sure that it names no other file.
 *
 * A QEMU that was taken over can write the header of its volume. The next one opens it as root: a backing file or an
 * external data file named there would lay any file of the host open.
 *
 * @returns bytes, as the guest sees them
 * @throws EngineError STATE_CORRUPT
 */
export async function volumeSize(path: string): Promise<number> {
  const header = await readDiskHeader(path);
  if (header.format === 'qcow2' && header.version === 3 && header.refusal === undefined)
    return header.sizeBytes;
  throw new EngineError('STATE_CORRUPT', `${path} is not a volume that Sheaf made`, {
    hint: 'Its machine may have been taken over. Look at the file before you use what it holds.',
  });
}

/** Lets a volume that no machine uses grow, in a copy that then takes its place: a kill leaves the one or the other. */
async function growVolume(
  context: DriverContext,
  path: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  await throughRaw(context, path, signal, async (raw) => {
    await writeFile(raw, '', { mode: 0o600, flag: 'wx' });
    const grown = { RAW: { path: raw, isWritable: true } };
    const from = { VOLUME: { path, isWritable: false } };
    const copy = 'qemu-img convert -f qcow2 -O raw "$VOLUME" "$RAW"';
    await runWithoutRights({ ...from, ...grown }, copy, signal);
    await truncate(raw, sizeBytes);
    // replays the journal; 1 says that something was repaired, which a machine that was cut off explains
    await runWithoutRights(grown, 'e2fsck -fy "$RAW" || [ $? -eq 1 ]', signal);
    await runWithoutRights(grown, 'resize2fs "$RAW"', signal);
  });
}

async function runWithoutRights(files: LentFiles, script: string, signal: AbortSignal): Promise<void> {
  const [program = '', ...args] = await withoutRights(files, script);
  await runCommand(program, args, { signal, timeoutMs: copyTimeoutMs });
}

async function throughRaw(
  context: DriverContext,
  path: string,
  signal: AbortSignal,
  make: (raw: string) => Promise<void>,
): Promise<void> {
  const draft = join(context.drafts, crypto.randomUUID());
  try {
    await make(`${draft}.raw`);
    const convert = ['convert', '-f', 'raw', '-O', 'qcow2', `${draft}.raw`, `${draft}.qcow2`];
    await runCommand('qemu-img', convert, { signal, timeoutMs: copyTimeoutMs });
    await chmod(`${draft}.qcow2`, 0o600);
    await settle(`${draft}.qcow2`, path);
  } catch (error) {
    throw orDiskFull(error, context.drafts);
  } finally {
    await rm(`${draft}.raw`, { force: true });
    await rm(`${draft}.qcow2`, { force: true });
  }
}
