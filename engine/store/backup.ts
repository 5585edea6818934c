import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { type Digest, isDigest } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import { type TarSource, writeTar } from '../formats/tar.ts';
import type { Blobs } from '../model/blob.ts';
import { systemCode } from '../system-code.ts';
import { settle } from '../whole-file.ts';
import { hashFile } from './hash-file.ts';
import { readKey } from './key-file.ts';
import { deploymentTexts, digestsIn } from './named-digests.ts';

/** What stands first in a backup of the state. */
export type BackupManifest = {
  readonly kind: 'StateBackup';
  /** Raised whenever an older program would misread it. */
  readonly format: 1;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly database: { readonly digest: Digest; readonly size: number };
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  /** Whether the key of the secrets is in it too. */
  readonly hasKey: boolean;
};

/** What is backed up, and where to. */
export type BackupRequest = {
  /** The state's database. */
  readonly database: string;
  readonly blobs: Blobs;
  /** The key of the secrets, when it shall go along. */
  readonly keyFile?: string;
  /** Folder of this process for unfinished files. */
  readonly scratch: string;
  /** Put in place when it is whole; mode 0600. */
  readonly file: string;
  readonly at: number;
  readonly signal: AbortSignal;
};

/** What a backup holds. */
export type BackupAnswer = {
  readonly file: string;
  readonly bytes: number;
  readonly blobs: number;
  readonly hasKey: boolean;
};

/**
 * Writes the records and every blob that a recorded deployment runs from into one tar file, while others go on working.
 *
 * Secrets stay sealed; data volumes are not in it.
 *
 * @throws EngineError FILE_UNUSABLE, DISK_FULL, BLOB_CORRUPT, STATE_CORRUPT, SECRET_UNREADABLE
 */
export async function backupState(request: BackupRequest): Promise<BackupAnswer> {
  const { scratch, file, at, signal } = request;
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const copy = join(scratch, `${crypto.randomUUID()}.db`);
  const draft = `${file}.new`;
  await beginDraft(draft);
  try {
    copyDatabase(request.database, copy);
    const key = request.keyFile === undefined ? undefined : readKey(request.keyFile);
    const manifest: BackupManifest = {
      kind: 'StateBackup',
      format: 1,
      createdAt: at,
      database: await hashFile(copy),
      blobs: await neededBlobs(copy, request.blobs),
      hasKey: key !== undefined,
    };
    const entries = entriesOf(manifest, copy, key, request.blobs);
    await pipeline(writeTar(entries), createWriteStream(draft, { mode: 0o600 }), { signal });
    await settle(draft, file);
    const { size: bytes } = await stat(file);
    return { file, bytes, blobs: manifest.blobs.length, hasKey: manifest.hasKey };
  } catch (cause) {
    throw orDiskFull(cause, dirname(file));
  } finally {
    await rm(copy, { force: true });
    await rm(draft, { force: true });
  }
}

/** Makes the unfinished file, whose folder has to be there: a mistyped one is not made. */
async function beginDraft(draft: string): Promise<void> {
  const folder = dirname(draft);
  try {
    await rm(draft, { force: true });
    await (await open(draft, 'wx', 0o600)).close();
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    const isThere = (await stat(folder).catch(() => undefined)) !== undefined;
    const why = isThere ? 'takes no new files' : 'does not exist';
    throw new EngineError('FILE_UNUSABLE', `the folder ${folder} ${why}`, {
      hint: 'Make the folder, or name a file in another one.',
      details: { path: folder },
      cause,
    });
  }
}

function copyDatabase(from: string, to: string): void {
  const database = new DatabaseSync(from, { timeout: 15_000 });
  try {
    // one read transaction: whole, and of one moment
    database.prepare('VACUUM INTO ?').run(to);
  } finally {
    database.close();
  }
}

/** Lists the stored blobs that recorded states name: kits with their parts, layers, templates. */
async function neededBlobs(file: string, blobs: Blobs): Promise<BackupManifest['blobs']> {
  const database = new DatabaseSync(file, { readOnly: true });
  const texts = readTexts(database);
  const named = new Set(texts.flatMap(digestsIn));
  const kits = new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/"kit":"(sha256:[0-9a-f]{64})"/g)].flatMap(([, kit]) => kit ?? []),
    ),
  );
  for (const kit of kits)
    if (isDigest(kit) && (await blobs.has(kit)))
      for (const part of digestsIn(Buffer.from(await blobs.read(kit)).toString())) named.add(part);
  const needed: { digest: Digest; size: number }[] = [];
  for (const digest of [...named].toSorted()) {
    const size = await blobs.size(digest);
    if (size !== undefined) needed.push({ digest, size });
  }
  return needed;
}

function readTexts(database: DatabaseSync): readonly string[] {
  try {
    return deploymentTexts(database);
  } finally {
    database.close();
  }
}

async function* entriesOf(
  manifest: BackupManifest,
  copy: string,
  key: Uint8Array | undefined,
  blobs: Blobs,
): AsyncGenerator<TarSource> {
  const text = Buffer.from(`${JSON.stringify(manifest)}\n`);
  yield { ...fileEntry('manifest.json', text.length), content: text };
  yield { ...fileEntry('state.db', manifest.database.size), content: createReadStream(copy) };
  if (key) yield { ...fileEntry('secrets.key', key.length), content: key };
  for (const { digest, size } of manifest.blobs)
    yield { ...fileEntry(`blobs/${digest.replace(':', '/')}`, size), content: blobs.open(digest) };
}

function fileEntry(path: string, size: number): Omit<TarSource, 'content'> {
  return { path, type: 'file', mode: 0o600, uid: 0, gid: 0, mtime: 0, size, target: '', attributes: {} };
}
