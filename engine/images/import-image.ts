import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import pLimit from 'p-limit';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { LayerLosses } from '../formats/layer-tree.ts';
import type { Descriptor } from '../model/blob.ts';
import type { Report } from '../model/event.ts';
import type { ImagePart } from '../model/image-fetcher.ts';
import { checkLayers } from './check-layers.ts';
import type { BuildContext } from './context.ts';
import { readImageConfig } from './image-config.ts';
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

type Fetched = { readonly bytes: Uint8Array; readonly value: JsonObject };

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
 * Every byte is held against the digest that names it before it is stored; what the store has is not fetched again. The
 * layers are unpacked once to see that they can be, and what machines will not get of them is told.
 *
 * @throws EngineError IMAGE_MISSING when the place does not have it, or not for this platform; BLOB_CORRUPT when its
 *   bytes are not those that were named; DISK_FULL, OPERATION_INTERRUPTED
 */
export async function importImage(request: ImportRequest, context: BuildContext): Promise<LoadedImage> {
  const { subject } = request;
  const { blobs, report, signal } = context;
  const source = refOf(request);
  report({ type: 'build', subject, state: 'started', message: request.ref });
  const top = await fetchJson(source, { kind: 'manifest', digest: source.digest }, context);
  const chosen = isIndex(top.value)
    ? chooseManifest(top.value, source.digest, request).digest
    : source.digest;
  const manifest =
    chosen === source.digest ? top : await fetchJson(source, { kind: 'manifest', digest: chosen }, context);
  const { config, layers } = manifestParts(manifest.value, chosen);
  const settings = await fetchJson(source, { kind: 'blob', ...config }, context);
  const { diffIds } = readImageConfig(settings.value, config.digest);
  if (diffIds.length !== layers.length)
    throw unreadable(config.digest, 'does not name one tar for each layer');
  const limit = pLimit(layersAtOnce);
  const fetched = new Map(layers.map((layer) => [layer.digest, layer]));
  const losses = await Promise.all(
    [...fetched.values()].map((layer) =>
      limit(async () => {
        if ((await blobs.size(layer.digest)) === layer.size) return;
        report({ type: 'build', subject, state: 'progress', message: `fetches ${layer.digest}` });
        await copyLayer(source, layer, context);
      }),
    ),
  )
    .then(() => {
      const parts = layers.map((layer, index) => ({ layer, diffId: diffIds[index] ?? layer.digest }));
      return checkLayers(parts, context);
    })
    .catch((error: unknown) => {
      throw signal.aborted
        ? new EngineError('OPERATION_INTERRUPTED', `fetching ${subject} was stopped on request`, {
            cause: error,
          })
        : error;
    });
  tellLosses(subject, losses, report);
  // an image is found by these, so they come when all else is stored and checked
  await blobs.write(settings.bytes);
  await blobs.write(manifest.bytes);
  await blobs.write(top.bytes);
  const image = await loadImage(chosen, blobs);
  report({ type: 'build', subject, state: 'done', message: chosen });
  return image;
}

function tellLosses(subject: string, { devices, attributes }: LayerLosses, report: Report): void {
  const lost = [
    ...(devices > 0 ? [`${devices} device ${devices === 1 ? 'node' : 'nodes'}`] : []),
    ...(attributes.length > 0 ? [`extended attributes ${attributes.slice(0, 5).join(', ')}`] : []),
  ];
  if (lost.length > 0)
    report({
      type: 'warning',
      code: 'NOTE',
      message: `${subject}: its image holds ${lost.join(' and ')}, which machines do not get`,
    });
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

async function fetchJson(source: ImageRef, part: ImagePart, context: BuildContext): Promise<Fetched> {
  const { blobs, signal } = context;
  const { digest } = part;
  const bytes = (await blobs.has(digest))
    ? await blobs.read(digest)
    : await buffer(checked(await open(source, part, context), digest, jsonBlobLimit, signal));
  return { bytes, value: parseJsonBlob(bytes, digest) };
}

async function copyLayer(source: ImageRef, layer: Descriptor, context: BuildContext): Promise<void> {
  if (layer.size > largestLayer)
    throw unreadable(layer.digest, `is a layer of more than ${largestLayer} bytes`);
  const content = await open(source, { kind: 'blob', ...layer }, context).catch((error: unknown) => {
    throw isKeptApart(layer) && error instanceof EngineError && error.code === 'IMAGE_MISSING'
      ? keptApart(layer, error)
      : error;
  });
  const stored = await context.blobs.writeStream(checked(content, layer.digest, layer.size, context.signal));
  if (stored.size !== layer.size)
    throw unreadable(layer.digest, `has ${stored.size} bytes and not the ${layer.size} that its image says`);
}

/** Tells whether a layer may not be given away with its image, and so is often not where the image is. */
function isKeptApart({ mediaType }: Descriptor): boolean {
  return /\.(nondistributable|foreign)\./.test(mediaType);
}

function keptApart({ digest, mediaType }: Descriptor, cause: EngineError): EngineError {
  return new EngineError(
    'IMAGE_MISSING',
    `the layer ${digest} is not given away with its image (${mediaType})`,
    {
      hint: 'Put the layer where the image lies, or take an image without such layers.',
      details: { digest, mediaType },
      cause,
    },
  );
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
