import type { Digest } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { BlobSource } from './blob-source.ts';
import type { FormNote } from './layout.ts';
import { openBundle } from './open-bundle.ts';
import { type BundleContents, bulkOf } from './root-manifest.ts';
import { bundleBytes, type CatalogCall, type WriteRequest, writeBundle } from './write-bundle.ts';

/** What is written where, and in which form: thick unless one of the two others is asked for. */
export type PackFileRequest = {
  readonly contents: BundleContents;
  readonly source: BlobSource;
  readonly file: string;
  readonly thin?: boolean;
  /** A bundle file: only what it lacks is written. */
  readonly deltaFrom?: string;
};

/** A written bundle. */
export type PackedFile = {
  /** The identity: of the packing list. */
  readonly digest: Digest;
  /** Of the root manifest, as registries know it. */
  readonly manifest: Digest;
  readonly file: string;
  readonly bytes: number;
};

/**
 * Writes a bundle in the form that is asked for. A file that is that bundle already is read and left alone.
 *
 * @throws EngineError as {@link writeBundle} and `openBundle` do
 */
export async function packFile(request: PackFileRequest, call: CatalogCall): Promise<PackedFile> {
  const { contents, source, file } = request;
  const { note, takes } = await chooseForm(request);
  const wanted = { contents, note, takes };
  const bytes = (await isWritten(file, wanted, call))
    ? bundleBytes(wanted)
    : await writeBundle(file, { ...wanted, source }, call);
  return { digest: contents.manifest.config.digest, manifest: contents.root.digest, file, bytes };
}

/** Tells whether a file is the very bundle that would be written, by every digest in it. */
export async function isWritten(
  file: string,
  wanted: Omit<WriteRequest, 'source'>,
  { signal }: CatalogCall,
): Promise<boolean> {
  const bundle = await openBundle(file).catch(() => undefined);
  if (bundle === undefined) return false;
  try {
    const { contents, note, bytes } = bundle;
    const isAlike =
      contents.root.digest === wanted.contents.root.digest &&
      bytes === bundleBytes(wanted) &&
      note.form === wanted.note.form &&
      note.base === wanted.note.base;
    if (!isAlike) return false;
    for (const part of contents.manifest.layers.filter(wanted.takes))
      for await (const _ of bundle.open(part)) signal.throwIfAborted();
    return true;
  } catch {
    return false; // then it is written anew, which also tells when it was stopped
  } finally {
    await bundle.close();
  }
}

async function chooseForm({
  contents,
  thin,
  deltaFrom,
}: PackFileRequest): Promise<{ readonly note: FormNote; readonly takes: (part: Descriptor) => boolean }> {
  if (deltaFrom !== undefined) {
    const base = await openBundle(deltaFrom);
    await base.close();
    const held = new Set(
      base.contents.manifest.layers.filter((part) => base.has(part)).map(({ digest }) => digest),
    );
    const note = { form: 'delta', base: base.contents.manifest.config.digest } as const;
    return { note, takes: ({ digest }) => !held.has(digest) };
  }
  if (thin !== true) return { note: { form: 'thick' }, takes: () => true };
  const bulk = new Set(bulkOf(contents.list).map(({ digest }) => digest));
  return { note: { form: 'thin' }, takes: ({ digest }) => !bulk.has(digest) };
}
