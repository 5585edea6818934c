import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';
import type { ImagePart } from '../model/image-fetcher.ts';
import type { BuildContext } from './context.ts';
import { indexMediaTypes } from './image-manifest.ts';
import { type ImageRef, parseImageRef } from './image-ref.ts';
import {
  descriptorOf,
  isObject,
  type JsonObject,
  jsonBlobLimit,
  listOf,
  parseJsonBlob,
  unreadable,
} from './json-blob.ts';
import { type LoadedImage, loadImage, manifestParts } from './load-image.ts';

/** An image that somebody else made. */
export type ImportRequest = {
  /** For people: `cache@1.0.0`. */
  readonly subject: string;
  /** As written in the description, digest included. */
  readonly ref: string;
  /** The description's folder, from which relative paths count. */
  readonly folder: string;
};

/** The platform of guests. */
const platform = { os: 'linux', architecture: 'amd64' };
const layersAtOnce = 3;
const largestLayer = 32 * 2 ** 30;

/** Gives an image that was imported before, when it is stored whole; fetches nothing. */
export async function findImported(
  request: ImportRequest,
  context: Pick<BuildContext, 'blobs'>,
): Promise<LoadedImage | undefined> {
  const { digest } = refOf(request);
  try {
    const size = await context.blobs.size(digest);
    if (size === undefined || size > jsonBlobLimit) return undefined;
    const text = parseJsonBlob(await context.blobs.read(digest), digest);
    return await loadImage(
      isIndex(text) ? chooseManifest(text, digest, request).digest : digest,
      context.blobs,
    );
  } catch (error) {
    // what was removed or damaged behind our back is fetched again
    if (error instanceof EngineError && ['IMAGE_MISSING', 'BLOB_CORRUPT'].includes(error.code))
      return undefined;
    throw error;
  }
}

/**
 * Copies an OCI image into the store: of an index, the one for linux/amd64.
 *
 * Every byte is held against the digest that names it before it is stored; what the store has is not fetched again.
 *
 * @throws EngineError IMAGE_MISSING when the place does not have it, or not for this platform; BLOB_CORRUPT when its
 *   bytes are not those that were named; DISK_FULL, OPERATION_INTERRUPTED
 */
export async function importImage(request: ImportRequest, context: BuildContext): Promise<LoadedImage> {
  const { subject } = request;
  const { blobs, report, signal } = context;
  const source = refOf(request);
  report({ type: 'build', subject, state: 'started', message: request.ref });
  const top = await copyJson(source, { kind: 'manifest', digest: source.digest }, context);
  const chosen = isIndex(top) ? chooseManifest(top, source.digest, request).digest : source.digest;
  const manifest =
    chosen === source.digest ? top : await copyJson(source, { kind: 'manifest', digest: chosen }, context);
  const { config, layers } = manifestParts(manifest, chosen);
  await copyJson(source, { kind: 'blob', ...config }, context);
  const limit = pLimit(layersAtOnce);
  const unique = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  await Promise.all(
    unique.map((layer) =>
      limit(async () => {
        if ((await blobs.size(layer.digest)) === layer.size) return;
        report({ type: 'build', subject, state: 'progress', message: `fetches ${layer.digest}` });
        await copyLayer(source, layer, context);
      }),
    ),
  );
  if (signal.aborted)
    throw new EngineError('OPERATION_INTERRUPTED', `fetching ${subject} was stopped on request`);
  const image = await loadImage(chosen, blobs);
  report({ type: 'build', subject, state: 'done', message: chosen });
  return image;
}

function refOf({ ref, folder, subject }: ImportRequest): ImageRef {
  const parsed = parseImageRef(ref, folder);
  if (parsed !== undefined) return parsed;
  throw new EngineError('IMAGE_MISSING', `${JSON.stringify(ref)}, the image of ${subject}, names no digest`, {
    hint: 'Write it with its digest: host/name@sha256:… or oci:./folder@sha256:… .',
  });
}

function isIndex(text: JsonObject): boolean {
  return indexMediaTypes.includes(String(text['mediaType'])) || Array.isArray(text['manifests']);
}

/** Chooses the image for guests out of an index. Attestations and other artifacts have the platform `unknown`. */
function chooseManifest(index: JsonObject, digest: Digest, { subject }: ImportRequest): Descriptor {
  const platforms: string[] = [];
  for (const item of listOf(index['manifests'], digest)) {
    const wanted = isObject(item) && isObject(item['platform']) ? item['platform'] : {};
    if (wanted['os'] === platform.os && wanted['architecture'] === platform.architecture)
      return descriptorOf(item, digest);
    platforms.push(`${String(wanted['os'] ?? 'unknown')}/${String(wanted['architecture'] ?? 'unknown')}`);
  }
  // a layout that a tool wrote for one image only often leaves the platform out
  const items = listOf(index['manifests'], digest);
  if (items.length === 1 && platforms[0] === 'unknown/unknown') return descriptorOf(items[0], digest);
  throw new EngineError('IMAGE_MISSING', `the image of ${subject} is not made for linux/amd64`, {
    hint: `It is there for ${[...new Set(platforms)].join(', ') || 'no platform'}: name another image.`,
    details: { digest, platforms },
  });
}

async function copyJson(source: ImageRef, part: ImagePart, context: BuildContext): Promise<JsonObject> {
  const { blobs } = context;
  const isStored = await blobs.has(part.digest);
  if (!isStored) await copy(source, part, { most: jsonBlobLimit }, context);
  return parseJsonBlob(await blobs.read(part.digest), part.digest);
}

async function copyLayer(source: ImageRef, layer: Descriptor, context: BuildContext): Promise<void> {
  if (layer.size > largestLayer)
    throw unreadable(layer.digest, `is a layer of more than ${largestLayer} bytes`);
  await copy(source, { kind: 'blob', ...layer }, { most: layer.size, exact: true }, context);
}

async function copy(
  source: ImageRef,
  part: ImagePart,
  size: { readonly most: number; readonly exact?: boolean },
  context: BuildContext,
): Promise<void> {
  const { blobs, signal } = context;
  const content = await open(source, part, context);
  const stored = await blobs.writeStream(checked(content, part.digest, size.most, signal));
  if (size.exact && stored.size !== size.most)
    throw unreadable(part.digest, `has ${stored.size} bytes and not the ${size.most} that its image says`);
}

/** Passes bytes on, and fails before their end when they are too many or not those of the digest. */
async function* checked(
  content: AsyncIterable<Uint8Array>,
  digest: Digest,
  most: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    if (signal.aborted)
      throw new EngineError('OPERATION_INTERRUPTED', 'fetching an image was stopped on request');
    bytes += chunk.length;
    if (bytes > most) throw unreadable(digest, `is larger than ${most} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== digest)
    throw unreadable(digest, 'came with other bytes than its digest names');
}

async function open(
  source: ImageRef,
  part: ImagePart,
  { images, signal }: BuildContext,
): Promise<AsyncIterable<Uint8Array>> {
  if (source.kind === 'registry') {
    if (images !== undefined) return await images.open(source.repository, part, signal);
    throw new EngineError(
      'IMAGE_MISSING',
      `${source.repository} is at a registry, and none can be reached from here`,
      {
        hint: 'Copy the image to a folder (skopeo copy docker://… oci:FOLDER) and name it as oci:FOLDER@sha256:… .',
      },
    );
  }
  const file = join(source.folder, 'blobs/sha256', part.digest.slice('sha256:'.length));
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile()) return createReadStream(file);
  throw new EngineError('IMAGE_MISSING', `the image layout ${source.folder} does not hold ${part.digest}`, {
    hint: 'Look at its index.json for the digests that it has.',
    details: { folder: source.folder, digest: part.digest },
  });
}
