import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { canonicalJson, type Digest, digestOf, isDigest } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import { type Opening, sealedMark, unsealed } from '../formats/age.ts';
import { readTar } from '../formats/tar.ts';
import { systemCode } from '../system-code.ts';
import { type BackupIndex, type BackupManifest, type BackupPart, partNames, unreadable } from './archive.ts';

/** A backup that was read and verified to its end; its parts lie in a folder of their own until it is closed. */
export type Archive = {
  readonly id: Digest;
  readonly file: string;
  readonly manifest: BackupManifest;
  readonly index: BackupIndex;
  readonly secrets: ReadonlyMap<string, string>;
  /** Where a part lies. */
  readonly path: (part: string) => string;
  /** Digests of the blobs in it. */
  readonly blobs: readonly Digest[];
  readonly close: () => Promise<void>;
};

const mostTextBytes = 64 * 2 ** 20;
const partPattern =
  /^(manifest\.json|secrets\.json|index\.json|packs\/\d{8}|volumes\/\d{1,4}\.entries\.zst|blobs\/sha256\/[0-9a-f]{64})$/;

/**
 * Opens a backup: decrypts it, lays its parts out in a folder, and verifies each by its digest.
 *
 * @param wantsData - false leaves the blocks out, for who only compares with it
 * @throws EngineError BACKUP_UNREADABLE when it is damaged, cut off or none; BACKUP_LOCKED; DISK_FULL
 */
export async function openArchive(
  file: string,
  parts: {
    readonly opening: Opening | undefined;
    readonly scratch: string;
    readonly wantsData: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Archive> {
  const folder = join(parts.scratch, crypto.randomUUID());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const found = await layOut(file, folder, parts);
    return { ...(await verified(file, folder, found)), file, path: (part) => join(folder, part), close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

async function layOut(
  file: string,
  folder: string,
  { opening, wantsData, signal }: Parameters<typeof openArchive>[1],
): Promise<ReadonlyMap<string, BackupPart>> {
  const found = new Map<string, BackupPart>();
  const content = await opened(file, opening);
  try {
    for await (const { entry, content: bytes } of readTar(content)) {
      if (signal.aborted)
        throw new EngineError('OPERATION_INTERRUPTED', `reading ${file} was stopped on request`);
      const { path, size } = entry;
      if (entry.type !== 'file' || !partPattern.test(path) || found.has(path))
        throw unreadable(file, `it holds "${path.slice(0, 100)}"`);
      const hash = createHash('sha256');
      const hashed = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of bytes) {
          hash.update(chunk);
          yield chunk;
        }
      };
      if (wantsData || !path.startsWith('packs/')) {
        await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
        await pipeline(hashed(), createWriteStream(join(folder, path), { mode: 0o600 }));
      } else for await (const _ of hashed());
      found.set(path, { path, size, digest: `sha256:${hash.digest('hex')}` });
    }
  } catch (cause) {
    const told = orDiskFull(cause, folder);
    if (told instanceof EngineError && told.code !== 'BLOB_CORRUPT') throw told;
    throw unreadable(file, 'it is damaged or cut off', cause);
  }
  return found;
}

async function opened(file: string, opening: Opening | undefined): Promise<AsyncIterable<Uint8Array>> {
  const head = await headOf(file);
  const content = createReadStream(file, { highWaterMark: 2 ** 18 });
  if (head !== sealedMark) return content;
  if (opening === undefined) {
    content.destroy();
    throw new EngineError('BACKUP_LOCKED', `${file} is encrypted`, {
      hint: 'Give the passphrase or key with which it was made.',
      details: { file },
    });
  }
  return await unsealed(content, opening);
}

async function headOf(file: string): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const { bytesRead, buffer } = await handle.read(
        Buffer.alloc(sealedMark.length),
        0,
        sealedMark.length,
        0,
      );
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unreadable(
      file,
      systemCode(cause) === 'ENOENT' ? 'there is no such file' : 'it cannot be read',
      cause,
    );
  }
}

async function verified(
  file: string,
  folder: string,
  found: ReadonlyMap<string, BackupPart>,
): Promise<Pick<Archive, 'id' | 'manifest' | 'index' | 'secrets' | 'blobs'>> {
  const read = async (path: string): Promise<Buffer> => {
    const part = found.get(path);
    if (part === undefined || part.size > mostTextBytes) throw unreadable(file, `it has no ${path}`);
    return await readFile(join(folder, path));
  };
  const text = await read(partNames.index);
  const index = parsed<BackupIndex>(file, text);
  const listed = new Map(index.parts.map((part) => [part.path, part]));
  for (const [path, part] of found) {
    if (path !== partNames.index && canonicalJson(listed.get(path) ?? null) !== canonicalJson(part))
      throw unreadable(file, `${path} is damaged`);
  }
  if (listed.size !== found.size - 1) throw unreadable(file, 'parts of it are missing');
  const manifest = parsed<BackupManifest>(file, await read(partNames.manifest));
  if (manifest.kind !== 'DeploymentBackup' || manifest.format !== 1)
    throw unreadable(file, 'it was made by a newer version, or is something else');
  const secrets = found.has(partNames.secrets)
    ? parsed<Record<string, string>>(file, await read(partNames.secrets))
    : {};
  const blobs = [...found.keys()].flatMap((path) => {
    const digest = path.startsWith('blobs/') ? path.slice('blobs/'.length).replace('/', ':') : '';
    return isDigest(digest) ? [digest] : [];
  });
  return { id: digestOf(text), index, manifest, secrets: new Map(Object.entries(secrets)), blobs };
}

function parsed<T>(file: string, text: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(text).toString()) as T;
  } catch (cause) {
    throw unreadable(file, 'it is damaged', cause);
  }
}

/** Unpacks the entries of a volume into a plain file of lines. */
export async function unpackEntries(archive: Archive, part: string, file: string): Promise<void> {
  try {
    await pipeline(
      createReadStream(archive.path(part)),
      createZstdDecompress(),
      createWriteStream(file, { mode: 0o600 }),
    );
  } catch (cause) {
    throw orDiskFull(cause, dirname(file));
  }
}
