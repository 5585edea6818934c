import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { EngineError } from '../../engine/errors.ts';
import { type TarEntry, type TarSource, writeTar } from '../../engine/formats/tar.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { Report } from '../../engine/model/event.ts';
import { settle } from '../../engine/whole-file.ts';
import { openYoungCollector } from '../../engine/young-garbage.ts';
import type { BlobSource } from './blob-source.ts';
import { withDrafts } from './drafts.ts';
import { blobPath, type FormNote, indexText, layoutText } from './layout.ts';
import { type BundleContents, manifestText, packingListText } from './root-manifest.ts';

/** What is written, and in which form. */
export type WriteRequest = {
  readonly contents: BundleContents;
  readonly note: FormNote;
  /** Whether a part goes into the file; the root and its config always do. */
  readonly takes: (part: Descriptor) => boolean;
  readonly source: BlobSource;
};

/** What a long call of the catalog takes. */
export type CatalogCall = { readonly signal: AbortSignal; readonly report: Report };

/**
 * Writes a bundle. Same contents and form, same bytes; memory does not grow with them.
 *
 * The file gets its name when it is whole and on the disk. What a kill leaves goes with the next bundle that is written there.
 *
 * @returns bytes of the file
 * @throws EngineError DISK_FULL, ROOT_REQUIRED, SOURCE_MISSING when there is no such folder, OPERATION_INTERRUPTED;
 *   whatever the source throws
 */
export async function writeBundle(file: string, request: WriteRequest, call: CatalogCall): Promise<number> {
  let bytes = 0;
  const collect = openYoungCollector();
  const counted = async function* (archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of archive) {
      bytes += chunk.byteLength;
      collect(chunk.byteLength);
      yield chunk;
    }
  };
  await withDrafts(file, async ({ target, begin }) => {
    const draft = await begin();
    try {
      const tar = writeTar(entriesOf(request, call));
      await pipeline(tar, counted, createWriteStream(draft.path), { signal: call.signal });
      await settle(draft.path, target);
    } catch (cause) {
      throw call.signal.aborted ? stopped(target, cause) : cause;
    } finally {
      await draft.drop();
    }
  });
  return bytes;
}

/** Gives the size of the file that {@link writeBundle} would write. */
export function bundleBytes(request: Omit<WriteRequest, 'source'>): number {
  const { contents, takes } = request;
  const texts = leadingTexts(request).map(({ text }) => Buffer.byteLength(text));
  const sizes = [...texts, ...contents.manifest.layers.filter(takes).map(({ size }) => size)];
  // a header for each, and two blocks that mark the end
  return sizes.reduce((sum, size) => sum + blockBytes + filledBytes(size), 2 * blockBytes);
}

/** Bytes of a block of an archive. */
export const blockBytes = 512;

/** Gives how many bytes of an archive a file's content takes. */
export function filledBytes(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

async function* entriesOf(request: WriteRequest, call: CatalogCall): AsyncGenerator<TarSource> {
  const { contents, takes, source } = request;
  const { manifest, list } = contents;
  const subject = `bundle ${list.name} ${list.version}`;
  for (const { path, text } of leadingTexts(request)) {
    const content = Buffer.from(text);
    yield { ...fileEntry(path, content.length), content };
  }
  const parts = manifest.layers.filter(takes);
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const part of parts) {
    yield { ...fileEntry(blobPath(part.digest), part.size), content: source.open(part) };
    const before = done;
    done += part.size;
    // small parts come by the hundred
    if (Math.floor(before / progressBytes) !== Math.floor(done / progressBytes))
      call.report({
        type: 'build',
        subject,
        state: 'progress',
        message: `${mebibytes(done)} of ${mebibytes(total)} MiB`,
      });
  }
}

/** Gives the texts that stand first in a bundle, in their order; then come the parts of its manifest. */
export function leadingTexts({
  contents,
  note,
}: Pick<WriteRequest, 'contents' | 'note'>): readonly { readonly path: string; readonly text: string }[] {
  const { root, manifest, list } = contents;
  return [
    { path: 'oci-layout', text: layoutText },
    { path: 'index.json', text: indexText(contents, note) },
    { path: blobPath(root.digest), text: manifestText(manifest) },
    { path: blobPath(manifest.config.digest), text: packingListText(list) },
  ];
}

const progressBytes = 16 * 2 ** 20;

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

/** Makes the entry of a file in a bundle's archive: nothing about who packed it, or when. */
export function fileEntry(path: string, size: number): TarEntry {
  return { ...blank, path, size };
}

const blank = {
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
  target: '',
  attributes: {},
} as const;

function stopped(target: string, cause: unknown): EngineError {
  return new EngineError('OPERATION_INTERRUPTED', `writing ${target} was stopped on request`, {
    hint: 'Nothing of it was kept; run the same command again.',
    cause,
  });
}
