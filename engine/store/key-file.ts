import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isDiskFull, orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import { currentProcess, isAlive } from '../process-identity.ts';
import { systemCode } from '../system-code.ts';

const keyBytes = 32;

/**
 * Reads a key of 32 bytes.
 *
 * @returns undefined when there is no such file
 * @throws EngineError SECRET_UNREADABLE, also when its group or others may read it
 */
export function readKey(file: string): Buffer | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw unreadable(file, 'cannot be read', cause);
  }
  try {
    if ((fstatSync(handle).mode & 0o077) !== 0) throw unreadable(file, 'can be read by others');
    const key = readAll(file, handle);
    if (key.length !== keyBytes) throw unreadable(file, `has ${key.length} bytes and not ${keyBytes}`);
    return key;
  } finally {
    closeSync(handle);
  }
}

/**
 * Makes a key file, mode 0600, and gives the key; of several makers at once the first one's key counts for all.
 *
 * The file is whole from its first moment: written beside, synced, and linked, which never replaces.
 *
 * @throws EngineError SECRET_UNREADABLE, DISK_FULL
 */
export function createKey(file: string): Buffer {
  const folder = dirname(file);
  const { pid, startTicks, bootId } = currentProcess();
  const draft = `${file}.${pid}-${startTicks}-${bootId}`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeSynced(draft, randomBytes(keyBytes));
    linkSync(draft, file);
    syncFolder(folder);
  } catch (cause) {
    if (isDiskFull(cause)) throw orDiskFull(cause, folder);
    if (systemCode(cause) !== 'EEXIST') throw unreadable(file, 'cannot be made', cause);
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readKey(file);
  if (!key) throw unreadable(file, 'vanished');
  return key;
}

/** Removes what makers of this key that were killed left beside it. */
export function sweepKeyDrafts(file: string): void {
  const prefix = `${basename(file)}.`;
  for (const name of namesIn(dirname(file)).filter((one) => one.startsWith(prefix))) {
    const [, pid, startTicks, bootId] = /^(\d+)-(\d+)-([0-9a-f-]+)$/.exec(name.slice(prefix.length)) ?? [];
    if (bootId === undefined) continue;
    if (isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId })) continue;
    rmSync(join(dirname(file), name), { force: true });
  }
}

function readAll(file: string, handle: number): Buffer {
  try {
    return readFileSync(handle);
  } catch (cause) {
    throw unreadable(file, 'cannot be read', cause);
  }
}

function writeSynced(file: string, content: Buffer): void {
  const handle = openSync(file, 'w', 0o600);
  try {
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw cause;
  }
}

function unreadable(file: string, how: string, cause?: unknown): EngineError {
  return new EngineError('SECRET_UNREADABLE', `the key of the secrets ${file} ${how}`, {
    hint: `Make it readable by its owner alone: chmod 600 ${file}. A lost key cannot be made again.`,
    cause,
  });
}
