import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EngineError, type ErrorCode } from '../../engine/errors.ts';
import { tarHeader } from '../../engine/formats/tar.ts';
import type { Blobs, Descriptor } from '../../engine/model/blob.ts';
import { settle } from '../../engine/whole-file.ts';
import type { BlobSource } from '../format/blob-source.ts';
import { checkTexts } from '../format/check-parts.ts';
import { withDrafts } from '../format/drafts.ts';
import { blobPath } from '../format/layout.ts';
import { openBundle } from '../format/open-bundle.ts';
import { isWritten, type PackedFile } from '../format/pack-bundle.ts';
import { blockBytes, bundleBytes, fileEntry, filledBytes, leadingTexts } from '../format/write-bundle.ts';
import { throwIfStopped } from '../registry/retry.ts';
import { type DraftFile, openDraftFile } from './draft-file.ts';
import type { FoundBundle } from './pull.ts';
import { type Transferred, transfer } from './transfer.ts';

/** Where a version goes, and the store of this machine, whose parts need not be fetched. */
export type PullFileRequest = { readonly file: string; readonly blobs: Blobs };

/** Somewhere on this machine where parts may lie. */
type Nearby = BlobSource & { has(part: Descriptor): Promise<boolean> };

/** After these a draft is worth to be gone on with: nothing was wrong with what came. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'OPERATION_INTERRUPTED',
  'REGISTRY_UNREACHABLE',
  'REGISTRY_REFUSED',
]);
const mostNeighbours = 8;

/**
 * Fetches a version as a bundle file, eight parts at once, each straight to its place.
 *
 * Every part is held against its digest; layers are not unpacked, which whoever uses the file does. What the store and
 * the bundles in the same folder hold is copied from there. A file that is this bundle already is read and left alone.
 * A kill leaves a draft beside the file; the same call later checks it part by part and goes on.
 *
 * @throws EngineError CONTENT_MISMATCH, BUNDLE_…, DISK_FULL, ROOT_REQUIRED, SOURCE_MISSING when there is no such folder, as the shelf does
 */
export async function pullFile(
  found: FoundBundle,
  { file, blobs }: PullFileRequest,
): Promise<PackedFile & Transferred> {
  const { bundle, entry, catalog } = found;
  const { contents } = bundle;
  const { now, report, signal } = catalog.options;
  const wanted = { contents, note: { form: 'thick' }, takes: () => true } as const;
  const bytes = bundleBytes(wanted);
  const written = { digest: contents.manifest.config.digest, manifest: contents.root.digest, file, bytes };
  const parts = distinct(contents.manifest.layers);
  const told = { subject: `pull ${entry.name} ${entry.version}`, verb: 'fetched', report, now };
  if (await isWritten(file, wanted, { signal, report }))
    return { ...written, ...(await transfer(parts, async () => false, told)) };

  const moved = await withDrafts(file, async ({ target, begin }) => {
    const draft = await begin(contents.root.digest.slice('sha256:'.length));
    try {
      const result = await withNearby(target, blobs, signal, async (nearby) => {
        const into = await openDraftFile(draft.path, bytes);
        try {
          const places = await writeFrame(into, wanted);
          const result = await transfer(
            parts,
            async (part, count) => {
              const position = places.get(part.digest) ?? bytes;
              if (draft.isResumed && (await into.holds(position, part))) return false;
              if (await copyNearby(into, position, part, nearby, signal)) return false;
              await into.write(position, counted(bundle.open(part), count));
              return true;
            },
            told,
          );
          await into.finish();
          return result;
        } catch (error) {
          await into.close();
          throw error;
        }
      });
      await checkDraft(draft.path);
      await settle(draft.path, target);
      return result;
    } catch (error) {
      if (error instanceof EngineError && passing.has(error.code)) await draft.keep();
      throw error;
    } finally {
      await draft.drop();
    }
  });
  return { ...written, ...moved };
}

/** Writes all of a bundle's file but its parts. @returns where each part's content begins, by digest */
async function writeFrame(
  file: DraftFile,
  wanted: Parameters<typeof bundleBytes>[0],
): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>();
  let position = 0;
  // all that is not content is written, zeros too: a draft that is gone on with may hold anything
  const addFrame = async (path: string, size: number): Promise<number> => {
    await file.write(position, await tarHeader(fileEntry(path, size)));
    const content = position + blockBytes;
    position = content + filledBytes(size);
    await file.write(content + size, Buffer.alloc(position - content - size));
    return content;
  };
  for (const { path, text } of leadingTexts(wanted)) {
    const content = Buffer.from(text);
    await file.write(await addFrame(path, content.length), content);
  }
  for (const { digest, size } of wanted.contents.manifest.layers)
    places.set(digest, await addFrame(blobPath(digest), size));
  await file.write(position, Buffer.alloc(2 * blockBytes));
  return places;
}

/** Copies a part from where it lies on this machine. Bytes of others do not count: whoever holds wrong ones is passed over. */
async function copyNearby(
  file: DraftFile,
  position: number,
  part: Descriptor,
  nearby: readonly Nearby[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const source of nearby) {
    if (!(await source.has(part))) continue;
    try {
      await file.write(position, stoppable(source.open(part), signal));
      return true;
    } catch (error) {
      throwIfStopped(signal);
      if (!(error instanceof EngineError)) throw error;
    }
  }
  return false;
}

/** Opens what lies on this machine: the store, and the newest bundles in the target's folder, it among them. */
async function withNearby<T>(
  target: string,
  blobs: Blobs,
  signal: AbortSignal,
  act: (nearby: readonly Nearby[]) => Promise<T>,
): Promise<T> {
  const store: Nearby = {
    has: async ({ digest, size }) => (await blobs.size(digest)) === size,
    open: ({ digest }) => blobs.open(digest),
  };
  const neighbours = await Promise.all(
    (await bundlesIn(dirname(target))).map((path) => openBundle(path).catch(() => undefined)),
  );
  const opened = neighbours.filter((each) => each !== undefined);
  try {
    throwIfStopped(signal);
    const others = opened.map(({ has, open }): Nearby => ({ has: async (part) => has(part), open }));
    return await act([store, ...others]);
  } finally {
    for (const each of opened) await each.close();
  }
}

async function bundlesIn(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.sheaf'));
  const found = await Promise.all(
    names.map(async (name) => {
      const path = resolve(join(folder, name));
      const facts = await stat(path).catch(() => undefined);
      return facts?.isFile() ? [{ path, changed: facts.mtimeMs }] : [];
    }),
  );
  const newest = found.flat().sort((a, b) => b.changed - a.changed);
  return newest.slice(0, mostNeighbours).map(({ path }) => path);
}

/** Reads the finished draft as whoever is given the file will. */
async function checkDraft(path: string): Promise<void> {
  const bundle = await openBundle(path);
  try {
    await checkTexts(bundle);
  } finally {
    await bundle.close();
  }
}

function distinct(parts: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(parts.map((part) => [part.digest, part])).values()];
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    count(chunk.byteLength);
    yield chunk;
  }
}

async function* stoppable(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    throwIfStopped(signal);
    yield chunk;
  }
}
