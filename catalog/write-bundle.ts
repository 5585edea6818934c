import { createWriteStream } from 'node:fs';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { orDiskFull } from '../engine/disk-full.ts';
import { EngineError } from '../engine/errors.ts';
import { type TarSource, writeTar } from '../engine/formats/tar.ts';
import type { Descriptor } from '../engine/model/blob.ts';
import type { Report } from '../engine/model/event.ts';
import { orNotWritable } from '../engine/not-writable.ts';
import { closeProcessFolder, openProcessFolder } from '../engine/process-folder.ts';
import { settle } from '../engine/whole-file.ts';
import type { BlobSource } from './blob-source.ts';
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
  const target = resolve(file);
  const drafts = join(dirname(target), `.${basename(target)}.drafts`);
  let bytes = 0;
  try {
    const draft = join(await openDrafts(drafts), 'bundle');
    const counted = async function* (archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of archive) {
        bytes += chunk.byteLength;
        yield chunk;
      }
    };
    try {
      const tar = writeTar(entriesOf(request, call));
      await pipeline(tar, counted, createWriteStream(draft, { mode: 0o666 }), { signal: call.signal });
      await settle(draft, target);
    } finally {
      await rm(draft, { force: true });
    }
  } catch (cause) {
    throw explained(cause, target, call.signal);
  } finally {
    await closeProcessFolder(drafts);
    await rmdir(drafts).catch(() => undefined); // another process may write there
  }
  return bytes;
}

/** Gives the size of the file that {@link writeBundle} would write. */
export function bundleBytes({ contents, note, takes }: Omit<WriteRequest, 'source'>): number {
  const { root, manifest } = contents;
  const texts = [
    layoutText.length,
    Buffer.byteLength(indexText(contents, note)),
    root.size,
    manifest.config.size,
  ];
  const sizes = [...texts, ...manifest.layers.filter(takes).map(({ size }) => size)];
  const blockBytes = 512;
  // a header for each, and two blocks that mark the end
  return sizes.reduce(
    (sum, size) => sum + blockBytes + Math.ceil(size / blockBytes) * blockBytes,
    2 * blockBytes,
  );
}

async function openDrafts(drafts: string): Promise<string> {
  // made here, not by openProcessFolder, which would make a mistyped folder too
  await mkdir(drafts, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause;
  });
  return await openProcessFolder(drafts);
}

async function* entriesOf(request: WriteRequest, call: CatalogCall): AsyncGenerator<TarSource> {
  const { contents, note, takes, source } = request;
  const { root, manifest, list } = contents;
  const subject = `bundle ${list.name} ${list.version}`;
  yield fileOf('oci-layout', layoutText);
  yield fileOf('index.json', indexText(contents, note));
  yield fileOf(blobPath(root.digest), manifestText(manifest));
  yield fileOf(blobPath(manifest.config.digest), packingListText(list));
  const parts = manifest.layers.filter(takes);
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const part of parts) {
    yield { ...blank, path: blobPath(part.digest), size: part.size, content: source.open(part) };
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

const progressBytes = 16 * 2 ** 20;

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
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

function fileOf(path: string, text: string): TarSource {
  const content = Buffer.from(text);
  return { ...blank, path, size: content.length, content };
}

function explained(cause: unknown, target: string, signal: AbortSignal): unknown {
  if (signal.aborted)
    return new EngineError('OPERATION_INTERRUPTED', `writing ${target} was stopped on request`, {
      hint: 'Nothing of it was kept; run the same command again.',
      cause,
    });
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR')
    return new EngineError(
      'SOURCE_MISSING',
      `${target} cannot be written: ${dirname(target)} is no folder, or it is one itself`,
      {
        hint: 'Name a file in a folder that exists.',
        cause,
      },
    );
  return orNotWritable(orDiskFull(cause, dirname(target)), dirname(target));
}
