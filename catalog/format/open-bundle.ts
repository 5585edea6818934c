import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import { systemCode } from '../../engine/system-code.ts';
import { openYoungCollector } from '../../engine/young-garbage.ts';
import { blobPath, type FormNote } from './layout.ts';
import { checkLayout, isRoot, readIndex, readManifest, readPackingList, textLimits } from './read-texts.ts';
import { refusal } from './refusals.ts';
import { type BundleContents, bulkOf } from './root-manifest.ts';
import { indexTar, type TarSlice } from './tar-index.ts';

/** A bundle file whose form was checked; its parts are checked as they are read. */
export interface BundleFile {
  readonly contents: BundleContents;
  readonly note: FormNote;
  /** Of the file. */
  readonly bytes: number;
  /** Tells whether the file holds a part, rather than its base or whoever has the images. */
  has(part: Descriptor): boolean;
  /** Opens a part; the stream ends with BUNDLE_DIGEST_WRONG when the bytes are others than were promised. */
  open(part: Descriptor): AsyncIterable<Uint8Array>;
  /** Reads a part whole: for small ones. @throws EngineError BUNDLE_INCOMPLETE, BUNDLE_DIGEST_WRONG, BUNDLE_TOO_LARGE */
  read(part: Descriptor): Promise<Uint8Array>;
  close(): Promise<void>;
}

const smallBytes = 32 * 2 ** 20;

/**
 * Opens a bundle, and checks everything about it but the digests of its parts. Nothing in it is believed.
 *
 * @throws EngineError SOURCE_MISSING; every BUNDLE_ code but BUNDLE_DIGEST_WRONG for parts
 * Cost: reads one block for each entry, and the texts that name the parts; none of the parts.
 */
export async function openBundle(path: string): Promise<BundleFile> {
  const file = await openFile(path);
  try {
    return await readBundle(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // without O_NONBLOCK, a pipe in the place of a file would be waited for
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    if (!['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR', 'ENXIO'].includes(systemCode(cause) ?? '')) throw cause;
    throw new EngineError('SOURCE_MISSING', `${path} cannot be read (${systemCode(cause)})`, {
      hint: 'Name a bundle, as sheaf pack writes it.',
      cause,
    });
  }
  throw new EngineError('SOURCE_MISSING', `${path} is no file`, {
    hint: 'Name a bundle, as sheaf pack writes it.',
  });
}

async function readBundle(file: FileHandle): Promise<BundleFile> {
  const entries = await indexTar(file);
  const { size: bytes } = await file.stat();

  const passed = openYoungCollector();
  const stream = async function* (slice: TarSlice, part: Descriptor): AsyncGenerator<Uint8Array> {
    for await (const chunk of verified(file, slice, part)) {
      passed(chunk.byteLength);
      yield chunk;
    }
  };
  const sliceOf = (path: string): TarSlice => {
    const slice = entries.get(path);
    if (slice !== undefined) return slice;
    throw refusal('BUNDLE_UNREADABLE', `has no ${path}`);
  };
  const text = async (path: string, limit: number): Promise<Uint8Array> => {
    const slice = sliceOf(path);
    if (slice.size > limit)
      throw refusal('BUNDLE_TOO_LARGE', `has a ${path} of ${slice.size} bytes; ${limit} are taken`);
    return await readSlice(file, slice);
  };
  const blob = async (part: Descriptor, limit: number): Promise<Uint8Array> => {
    if (part.size > limit)
      throw refusal('BUNDLE_TOO_LARGE', `has a text of ${part.size} bytes; ${limit} are taken`);
    return await collect(verified(file, present(entries, part), part));
  };

  checkLayout(await text('oci-layout', textLimits.layout));
  const { manifests, note } = readIndex(await text('index.json', textLimits.index));
  const roots: { readonly root: Descriptor; readonly bytes: Uint8Array }[] = [];
  for (const manifest of manifests) {
    // a thin or delta bundle need not hold the images that its index names
    if (!entries.has(blobPath(manifest.digest))) continue;
    const content = await blob(manifest, textLimits.manifest);
    if (isRoot(content)) roots.push({ root: manifest, bytes: content });
  }
  const [found, second] = roots;
  if (found === undefined) throw refusal('BUNDLE_UNREADABLE', 'holds no packing list');
  if (second !== undefined) throw refusal('BUNDLE_UNREADABLE', 'holds more than one packing list');
  const { root } = found;
  const manifest = readManifest(found.bytes);
  const list = readPackingList(await blob(manifest.config, textLimits.list), manifest);
  const contents: BundleContents = { root, manifest, list };
  checkEntries(contents, manifests, entries, note);

  return {
    contents,
    note,
    bytes,
    has: (part) => entries.has(blobPath(part.digest)),
    open: (part) => stream(present(entries, part), part),
    read: async (part) => {
      if (part.size > smallBytes) throw refusal('BUNDLE_TOO_LARGE', `has a text of ${part.size} bytes`);
      return await collect(verified(file, present(entries, part), part));
    },
    close: () => file.close(),
  };
}

/** Holds the entries of the archive against the parts of the manifest: each part once, in its size, and nothing else. */
function checkEntries(
  { root, manifest, list }: BundleContents,
  indexed: readonly Descriptor[],
  entries: ReadonlyMap<string, TarSlice>,
  note: FormNote,
): void {
  const parts = [root, manifest.config, ...manifest.layers];
  const named = new Set(['oci-layout', 'index.json', ...parts.map(({ digest }) => blobPath(digest))]);
  for (const path of entries.keys())
    if (!named.has(path))
      throw refusal(
        'BUNDLE_ENTRY_UNLISTED',
        `holds ${JSON.stringify(path)}, which its manifest does not name`,
      );
  for (const { digest } of indexed)
    if (!named.has(blobPath(digest)))
      throw refusal('BUNDLE_ENTRY_UNLISTED', `names ${digest} in its index.json and nowhere else`);
  const spare = new Set(note.form === 'thin' ? bulkOf(list).map(({ digest }) => digest) : []);
  for (const part of parts) {
    const slice = entries.get(blobPath(part.digest));
    if (slice !== undefined) checkSize(part, slice);
    else if (note.form !== 'delta' && !spare.has(part.digest))
      throw refusal('BUNDLE_INCOMPLETE', `is ${note.form} and lacks ${part.digest}`);
  }
}

function checkSize(part: Descriptor, slice: TarSlice): void {
  if (slice.size === part.size) return;
  throw refusal('BUNDLE_SIZE_WRONG', `holds ${part.digest} in ${slice.size} bytes and promises ${part.size}`);
}

function present(entries: ReadonlyMap<string, TarSlice>, part: Descriptor): TarSlice {
  const slice = entries.get(blobPath(part.digest));
  if (slice === undefined) throw refusal('BUNDLE_INCOMPLETE', `does not hold ${part.digest}`);
  checkSize(part, slice);
  return slice;
}

async function* verified(file: FileHandle, slice: TarSlice, part: Descriptor): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of streamSlice(file, slice)) {
    hash.update(chunk);
    length += chunk.byteLength;
    yield chunk;
  }
  // the file was longer when it was indexed
  if (length !== slice.size) throw refusal('BUNDLE_TRUNCATED', `ends within ${part.digest}`);
  if (`sha256:${hash.digest('hex')}` !== part.digest)
    throw refusal('BUNDLE_DIGEST_WRONG', `holds other bytes than ${part.digest}`, {
      details: { digest: part.digest },
    });
}

async function* streamSlice(file: FileHandle, { offset, size }: TarSlice): AsyncGenerator<Uint8Array> {
  const chunkBytes = 256 * 1024;
  for (let done = 0; done < size; ) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - done));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, offset + done);
    if (bytesRead === 0) return;
    done += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

async function readSlice(file: FileHandle, slice: TarSlice): Promise<Uint8Array> {
  return await collect(streamSlice(file, slice));
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
