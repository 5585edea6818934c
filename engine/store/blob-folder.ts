import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Digest, digestOf, isDigest } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import type { Blobs } from '../model/blob.ts';
import { openProcessFolder } from '../process-folder.ts';
import { systemCode } from '../system-code.ts';
import { syncPath } from '../whole-file.ts';

const markedAgainMs = 60_000;

/**
 * Opens a folder of blobs, laid out as in an OCI image layout: `FOLDER/sha256/HEX`, files 0400 in folders 0700.
 *
 * Any number of processes may read and write the same folder at once: each writes beside, and renames what is
 * whole. Writing a blob that exists puts good bytes in the place of whatever lay there.
 *
 * @param folder - made when absent
 * @param options.temporary - on the same file system as `folder`; unfinished files of dead processes in it are removed
 * @param options.clock - in milliseconds since 1970; marks when a blob was asked for, see `pruneBlobs`
 * @throws EngineError DISK_FULL from every write; nothing half-written is kept
 */
export async function openBlobs(
  folder: string,
  options: { readonly temporary: string; readonly clock?: () => number },
): Promise<Blobs> {
  const { clock = Date.now } = options;
  const shelf = join(folder, 'sha256');
  await mkdir(shelf, { recursive: true, mode: 0o700 });
  const temporary = await openProcessFolder(options.temporary);

  const path = (digest: Digest): string => {
    // digests come out of manifests that others wrote; nothing but a well-formed one becomes a path
    if (!isDigest(digest)) throw corrupt(digest, 'is no digest');
    return join(shelf, digest.slice('sha256:'.length));
  };

  const size = async (digest: Digest): Promise<number | undefined> => {
    try {
      const found = await stat(path(digest));
      if (!found.isFile()) return undefined;
      await markUsed(path(digest), found.ctimeMs, clock());
      return found.size;
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return undefined;
      throw cause;
    }
  };

  const read = async (digest: Digest): Promise<Uint8Array> => {
    const content = await readFile(path(digest)).catch((cause: unknown) => {
      throw systemCode(cause) === 'ENOENT' ? corrupt(digest, 'is not stored', cause) : cause;
    });
    if (digestOf(content) !== digest) throw corrupt(digest, 'has changed on the disk');
    return content;
  };

  const writeStream = async (
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly digest: Digest; readonly size: number }> => {
    const draft = join(temporary, randomUUID());
    try {
      const written = await writeDraft(draft, content);
      await rename(draft, path(written.digest));
      await syncPath(shelf);
      return written;
    } catch (cause) {
      throw orDiskFull(cause, folder);
    } finally {
      await rm(draft, { force: true });
    }
  };

  const writeAll: Blobs['writeAll'] = async (parts) => {
    const drafts = new Map<Digest, string>();
    try {
      for (const { part, content } of parts) {
        if (drafts.has(part.digest)) continue;
        const draft = join(temporary, randomUUID());
        drafts.set(part.digest, draft);
        const { digest, size: written } = await writeDraft(draft, content());
        if (digest !== part.digest || written !== part.size)
          throw corrupt(part.digest, 'came with other bytes');
      }
      for (const [digest, draft] of drafts) await rename(draft, path(digest));
      await syncPath(shelf);
    } catch (cause) {
      throw orDiskFull(cause, folder);
    } finally {
      for (const draft of drafts.values()) await rm(draft, { force: true });
    }
  };

  const holds = async (digest: Digest): Promise<boolean> => {
    try {
      await read(digest);
      return true;
    } catch (error) {
      if (error instanceof EngineError) return false;
      throw error;
    }
  };

  return {
    path,
    size,
    read,
    writeStream,
    writeAll,
    has: async (digest) => (await size(digest)) !== undefined,
    open: (digest) => Readable.from(verified(path(digest), digest), { objectMode: false }),
    write: async (content) => {
      const bytes = Buffer.from(content);
      const digest = digestOf(bytes);
      // asking for the size marks it as used
      if ((await size(digest)) !== undefined && (await holds(digest))) return digest;
      return (await writeStream(single(bytes))).digest;
    },
  };
}

/**
 * Marks a blob as used, so that nobody prunes it who had found it unused: whoever asks for a blob's size goes on to rely on it.
 */
async function markUsed(path: string, usedAt: number, now: number): Promise<void> {
  if (now - usedAt < markedAgainMs) return;
  await utimes(path, now / 1000, now / 1000).catch((error: unknown) => {
    // somebody else's, on a disk that cannot be written, or just pruned: then it is missed where it is opened
    if (!['EACCES', 'ENOENT', 'EPERM', 'EROFS'].includes(systemCode(error) ?? '')) throw error;
  });
}

async function writeDraft(
  draft: string,
  content: AsyncIterable<Uint8Array>,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const file = await open(draft, 'wx', 0o600);
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.byteLength;
      await writeChunk(file, chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(draft, 0o400);
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

async function writeChunk(file: FileHandle, chunk: Uint8Array): Promise<void> {
  // write(2) may take a part only, on a disk that is nearly full for one
  for (let done = 0; done < chunk.byteLength; )
    done += (await file.write(chunk, done, chunk.byteLength - done)).bytesWritten;
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* verified(path: string, digest: Digest): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  try {
    // larger pieces than usual: each costs the same on its way through a tar or a layer
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      hash.update(chunk);
      yield chunk;
    }
  } catch (cause) {
    throw systemCode(cause) === 'ENOENT' ? corrupt(digest, 'is not stored', cause) : cause;
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw corrupt(digest, 'has changed on the disk');
}

function corrupt(digest: string, what: string, cause?: unknown): EngineError {
  return new EngineError('BLOB_CORRUPT', `the blob ${digest} ${what}`, {
    hint: 'Build or pull again what it belongs to.',
    details: { digest },
    cause,
  });
}
