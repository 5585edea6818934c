import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isDigest } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import { readTar, type TarItem } from '../formats/tar.ts';
import type { Blobs } from '../model/blob.ts';
import { isAlive } from '../process-identity.ts';
import { settle } from '../whole-file.ts';
import type { BackupManifest } from './backup.ts';
import { hashFile } from './hash-file.ts';
import { openStore } from './store.ts';

/** What is restored, and over what. */
export type RestoreRequest = {
  readonly file: string;
  /** Of the state; absent or without deployments, unless `isReplacing`. */
  readonly database: string;
  readonly blobs: Blobs;
  readonly keyFile: string;
  /** Folder of this process for unfinished files. */
  readonly scratch: string;
  /** Whether a state that holds deployments may be set aside. */
  readonly isReplacing: boolean;
  readonly at: number;
};

/** What a restored state holds. */
export type RestoreAnswer = {
  /** Names of deployments. */
  readonly deployments: readonly string[];
  readonly blobs: number;
  /** The key was in the backup and had no place here. */
  readonly hasKey: boolean;
  /** Where the state lies that was there before. */
  readonly setAside: string | null;
};

/**
 * Puts a backup of the state in place, all of it checked before the first record changes.
 *
 * @throws EngineError STATE_EXISTS, DEPLOYMENT_BUSY, STATE_NEWER, STATE_CORRUPT when the backup is damaged, DISK_FULL
 */
export async function restoreState(request: RestoreRequest): Promise<RestoreAnswer> {
  const { database, scratch, keyFile, isReplacing } = request;
  const folder = join(scratch, crypto.randomUUID());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await checkReplaceable(database, isReplacing);
    const { manifest, key } = await unpack(request, folder);
    const fresh = join(folder, 'state.db');
    // brings an older one to this program's version, and refuses a newer one
    const store = openStore(fresh);
    const deployments = (await store.deployments()).map(({ name }) => name);
    store.close();
    const hasKey = key !== undefined && !existsSync(keyFile);
    if (hasKey) await writeKey(key, keyFile);
    const setAside = existsSync(database) ? `${database}.${request.at}` : null;
    if (setAside !== null) await rename(database, setAside);
    for (const rest of ['-wal', '-shm']) await rm(`${database}${rest}`, { force: true });
    await settle(fresh, database);
    return { deployments, blobs: manifest.blobs.length, hasKey, setAside };
  } catch (cause) {
    throw orDiskFull(cause, dirname(database));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The last to close a database takes its log into it, so that the file alone can be set aside. */
async function checkReplaceable(database: string, isReplacing: boolean): Promise<void> {
  if (!existsSync(database)) return;
  const store = openStore(database);
  try {
    const deployments = await store.deployments();
    if (deployments.length > 0 && !isReplacing) {
      throw new EngineError('STATE_EXISTS', `the state ${database} holds ${deployments.length} deployments`, {
        hint: 'Restore into another home, or add --replace: the present state is then set aside.',
        details: { deployments: deployments.map(({ name }) => name) },
      });
    }
    for (const { id, name } of deployments) {
      const holder = (await store.leaseHolder(id))?.holder;
      if (!holder || !isAlive(holder)) continue;
      throw new EngineError('DEPLOYMENT_BUSY', `${name} is being changed by process ${holder.pid}`, {
        hint: 'Wait until it has finished, or stop it with Ctrl-C.',
      });
    }
  } finally {
    store.close();
  }
}

async function unpack(
  { file, blobs }: RestoreRequest,
  folder: string,
): Promise<{ readonly manifest: BackupManifest; readonly key: Buffer | undefined }> {
  let manifest: BackupManifest | undefined;
  let key: Buffer | undefined;
  const missing = new Set<string>();
  for await (const item of readTar(createReadStream(file))) {
    if (manifest === undefined) {
      manifest = await readManifest(item);
      missing.add('state.db');
      if (manifest.hasKey) missing.add('secrets.key');
      for (const { digest } of manifest.blobs) missing.add(pathOf(digest));
      continue;
    }
    // only what was announced, once; nothing of a path goes to the disk
    if (item.entry.type !== 'file' || !missing.delete(item.entry.path))
      throw damaged(`holds ${item.entry.path}`);
    if (item.entry.path === 'state.db') {
      const path = join(folder, 'state.db');
      await pipeline(item.content, createWriteStream(path, { mode: 0o600 }));
      const found = await hashFile(path);
      if (found.digest !== manifest.database.digest) throw damaged('holds other records than it says');
    } else if (item.entry.path === 'secrets.key') key = await readSmall(item);
    else {
      const { digest } = await blobs.writeStream(item.content);
      if (pathOf(digest) !== item.entry.path) throw damaged(`holds another blob as ${item.entry.path}`);
    }
  }
  if (manifest === undefined || missing.size > 0) throw damaged('ends early');
  return { manifest, key };
}

async function readManifest(item: TarItem): Promise<BackupManifest> {
  if (item.entry.path !== 'manifest.json') throw damaged('is not one');
  let manifest: Partial<Record<keyof BackupManifest, unknown>>;
  try {
    manifest = JSON.parse((await readSmall(item)).toString());
  } catch (cause) {
    throw damaged('has no readable table of contents', cause);
  }
  if (manifest.kind !== 'StateBackup') throw damaged('is not one');
  if (typeof manifest.format === 'number' && manifest.format > 1) {
    throw new EngineError('STATE_NEWER', 'the backup was written by a newer program', {
      hint: 'Use the newer program that wrote it.',
    });
  }
  const { blobs } = manifest;
  const isSound =
    Array.isArray(blobs) && blobs.every((one) => typeof one?.digest === 'string' && isDigest(one.digest));
  if (!isSound || typeof manifest.database !== 'object') throw damaged('has no readable table of contents');
  return manifest as BackupManifest;
}

async function readSmall({ entry, content }: TarItem): Promise<Buffer> {
  if (entry.size > 64 * 2 ** 20) throw damaged(`has too much of ${entry.path}`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function writeKey(key: Uint8Array, keyFile: string): Promise<void> {
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
  await writeFile(keyFile, key, { mode: 0o600, flag: 'wx' });
}

function pathOf(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function damaged(how: string, cause?: unknown): EngineError {
  return new EngineError('STATE_CORRUPT', `the backup ${how}`, {
    hint: 'Take another backup; nothing was changed.',
    cause,
  });
}
