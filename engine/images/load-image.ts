import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Blobs, Descriptor } from '../model/blob.ts';
import { isLayerType } from '../model/layer-type.ts';
import { type ImageConfig, readImageConfig } from './image-config.ts';
import { configMediaTypes, manifestMediaType } from './image-manifest.ts';
import {
  descriptorOf,
  type JsonObject,
  jsonBlobLimit,
  listOf,
  parseJsonBlob,
  unreadable,
} from './json-blob.ts';

/** An image that lies whole in the store. */
export type LoadedImage = ImageConfig & {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** Lowest first: tars, gzipped, packed by zstd, or plain; or one whole disk. */
  readonly layers: readonly Descriptor[];
};

/** The parts that a manifest names. */
export type ManifestParts = Pick<LoadedImage, 'config' | 'layers'>;

const layerLimit = 128;

/**
 * Reads an image's manifest and configuration, and checks that all they name is stored, in the sizes they say.
 *
 * The layers' digests are checked when they are read. Nothing in an image is believed: it may come from anybody.
 *
 * @throws EngineError IMAGE_MISSING when a blob is not stored; BLOB_CORRUPT when a text is no manifest or configuration
 */
export async function loadImage(digest: Digest, blobs: Blobs): Promise<LoadedImage> {
  const size = await presentSize(digest, blobs);
  const text = await readStored({ digest, size }, blobs);
  const { config, layers } = manifestParts(text, digest);
  for (const part of [config, ...layers])
    if ((await presentSize(part.digest, blobs)) !== part.size)
      throw unreadable(part.digest, `has not the ${part.size} bytes that the image ${digest} gives it`);
  const settings = readImageConfig(await readStored(config, blobs), config.digest);
  if (settings.diffIds.length !== layers.length)
    throw unreadable(config.digest, 'does not name one tar for each layer');
  const mediaType = typeof text['mediaType'] === 'string' ? text['mediaType'] : manifestMediaType;
  return { manifest: { mediaType, digest, size }, config, layers, ...settings };
}

/** Reads what a manifest names. @throws EngineError BLOB_CORRUPT */
export function manifestParts(manifest: JsonObject, digest: Digest): ManifestParts {
  if (manifest['schemaVersion'] !== 2) throw unreadable(digest, 'is no OCI image manifest');
  const config = descriptorOf(manifest['config'], digest);
  const layers = listOf(manifest['layers'], digest).map((layer) => descriptorOf(layer, digest));
  if (!configMediaTypes.includes(config.mediaType)) throw unreadable(digest, 'is no OCI image manifest');
  if (layers.length === 0 || layers.length > layerLimit)
    throw unreadable(digest, `has ${layers.length} layers; from 1 to ${layerLimit} are taken`);
  for (const { mediaType } of layers)
    if (!isLayerType(mediaType)) throw unreadable(digest, `has a layer of the type ${mediaType}`);
  return { config, layers };
}

async function presentSize(digest: Digest, blobs: Blobs): Promise<number> {
  const size = await blobs.size(digest);
  if (size !== undefined) return size;
  throw new EngineError('IMAGE_MISSING', `the blob ${digest} of an image is not stored`, {
    hint: 'Build or pull the image again.',
    details: { digest },
  });
}

async function readStored(part: Pick<Descriptor, 'digest' | 'size'>, blobs: Blobs): Promise<JsonObject> {
  if (part.size > jsonBlobLimit) throw unreadable(part.digest, `is larger than ${jsonBlobLimit} bytes`);
  return parseJsonBlob(await blobs.read(part.digest), part.digest);
}
