import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { canonicalJson, digestOf, isDigest } from '../../engine/digest.ts';
import { orDiskFull } from '../../engine/disk-full.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import { openProcessFolder } from '../../engine/process-folder.ts';
import { systemCode } from '../../engine/system-code.ts';
import { makeFolder, settle, writeWhole } from '../../engine/whole-file.ts';
import { withFolderLock } from './folder-lock.ts';
import type { Repository, SeekableSource } from './repository.ts';
import type { Shelf } from './shelf.ts';

type Named = Descriptor & { readonly annotations?: Readonly<Record<string, string>> };

const refName = 'org.opencontainers.image.ref.name';
const layoutText = canonicalJson({ imageLayoutVersion: '1.0.0' });
const indexLimit = 64 * 2 ** 20;
const manifestLimit = 8 * 2 ** 20;

/**
 * Opens a catalog in a folder: one OCI image layout in which tags are written `NAME:TAG`, so that any tool can copy
 * from it.
 *
 * @param folder - absolute; made (0700) when something is first written
 */
export function openFolderShelf(folder: string): Shelf {
  return {
    name: folder,
    repository: (name) => folderRepository(folder, name),
    exclusively: async (act, signal) => {
      await makeFolder(folder);
      return await withFolderLock(folder, act, signal);
    },
  };
}

function folderRepository(folder: string, name: string): Repository {
  const blobPath = (digest: string): string => {
    if (!isDigest(digest)) throw corrupt(folder, `${digest.slice(0, 100)} is no digest`);
    return join(folder, 'blobs', 'sha256', digest.slice('sha256:'.length));
  };
  const has = async ({ digest, size }: Descriptor): Promise<boolean> => {
    const found = await stat(blobPath(digest)).catch(() => undefined);
    return found?.isFile() === true && found.size === size;
  };
  const store = async (blob: Descriptor, content: AsyncIterable<Uint8Array>): Promise<void> => {
    const drafts = await openProcessFolder(join(folder, 'drafts'));
    const draft = join(drafts, randomUUID());
    try {
      await writeDraft(draft, blob, content);
      await settle(draft, blobPath(blob.digest));
    } catch (cause) {
      throw orDiskFull(cause, folder);
    } finally {
      await rm(draft, { force: true });
    }
  };

  return {
    name: `${folder}:${name}`,
    checksManifests: false,
    has,
    open: (blob, _, offset = 0) => readBlob(blobPath(blob.digest), blob, offset),
    put: async (blob, source: SeekableSource, signal, sent) => {
      if (await has(blob)) return 'present';
      await store(blob, counted(source.open(blob, signal), sent));
      return 'sent';
    },
    manifest: async (reference) => {
      const manifests = await readIndex(folder);
      const found = isDigest(reference)
        ? manifests.find(({ digest }) => digest === reference)
        : manifests.find(({ annotations }) => annotations?.[refName] === `${name}:${reference}`);
      if (found === undefined) return undefined;
      if (found.size > manifestLimit) throw corrupt(folder, `${found.digest} is too large for a manifest`);
      const bytes = await readFile(blobPath(found.digest)).catch((cause: unknown) => {
        throw corrupt(folder, `${found.digest} is not there`, cause);
      });
      if (digestOf(bytes) !== found.digest) throw mismatch(folder, found.digest);
      const { mediaType, digest, size } = found;
      return { descriptor: { mediaType, digest, size }, bytes };
    },
    putManifest: async ({ descriptor, bytes }, tag) => {
      await makeFolder(folder);
      await store(descriptor, single(bytes));
      const before = await readIndex(folder);
      const full = tag === undefined ? undefined : `${name}:${tag}`;
      const isNamed = ({ annotations }: Named): boolean => annotations?.[refName] !== undefined;
      if (full === undefined && before.some(({ digest }) => digest === descriptor.digest)) return;
      const others = before.filter(
        (each) =>
          each.annotations?.[refName] !== full && (isNamed(each) || each.digest !== descriptor.digest),
      );
      const entry: Named = { ...descriptor, ...(full !== undefined && { annotations: { [refName]: full } }) };
      await writeWhole(join(folder, 'oci-layout'), layoutText);
      await writeWhole(
        join(folder, 'index.json'),
        canonicalJson({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.index.v1+json',
          manifests: [...others, entry],
        }),
      );
    },
    tags: async () => {
      const start = `${name}:`;
      const names = (await readIndex(folder)).flatMap(({ annotations }) => annotations?.[refName] ?? []);
      return names
        .filter((each) => each.startsWith(start))
        .map((each) => each.slice(start.length))
        .sort();
    },
  };
}

async function readIndex(folder: string): Promise<readonly Named[]> {
  const file = join(folder, 'index.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')) return undefined;
    throw cause;
  });
  if (text === undefined) return [];
  if (text.length > indexLimit) throw corrupt(folder, 'index.json is too large');
  try {
    const { manifests }: { readonly manifests?: unknown } = JSON.parse(text);
    if (Array.isArray(manifests) && manifests.every(isNamed)) return manifests;
  } catch (cause) {
    throw corrupt(folder, 'index.json is no JSON', cause);
  }
  throw corrupt(folder, 'index.json is not made as an OCI layout has it');
}

function isNamed(value: unknown): value is Named {
  if (typeof value !== 'object' || value === null) return false;
  const { mediaType, digest, size, annotations }: Partial<Record<string, unknown>> = { ...value };
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    isDigest(digest) &&
    Number.isSafeInteger(size) &&
    (annotations === undefined || (typeof annotations === 'object' && annotations !== null))
  );
}

async function writeDraft(
  draft: string,
  blob: Descriptor,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  const checked = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      size += chunk.byteLength;
      if (size > blob.size) throw mismatch(draft, blob.digest);
      hash.update(chunk);
      yield chunk;
    }
  };
  const file = await open(draft, 'wx', 0o600);
  await pipeline(checked, file.createWriteStream());
  if (size !== blob.size || `sha256:${hash.digest('hex')}` !== blob.digest)
    throw mismatch(draft, blob.digest);
  await chmod(draft, 0o400);
}

async function* readBlob(path: string, blob: Descriptor, offset: number): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { start: offset, highWaterMark: 256 * 1024 })) {
      hash.update(chunk);
      yield chunk;
    }
  } catch (cause) {
    throw systemCode(cause) === 'ENOENT' ? mismatch(path, blob.digest) : cause;
  }
  if (offset === 0 && `sha256:${hash.digest('hex')}` !== blob.digest) throw mismatch(path, blob.digest);
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  sent: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    yield chunk;
    sent(chunk.byteLength);
  }
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function corrupt(folder: string, what: string, cause?: unknown): EngineError {
  return new EngineError('CATALOG_CORRUPT', `the catalog ${folder} cannot be read: ${what}`, {
    hint: 'Restore the folder from a backup, or publish again into a new one.',
    cause,
  });
}

function mismatch(place: string, digest: string): EngineError {
  return new EngineError('CONTENT_MISMATCH', `${place} does not hold what ${digest} names`, {
    hint: 'Nothing of it was kept. Publish it again.',
    details: { digest },
  });
}
