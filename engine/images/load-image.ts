import { type Digest, isDigest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Blobs, Descriptor } from '../model/blob.ts';
import { configMediaType, manifestMediaType, packagesLabel } from './image-manifest.ts';
import { layerMediaType } from './layer-blob.ts';
import type { InstalledPackage } from './packages.ts';

/** An image that lies whole in the store. */
export type LoadedImage = {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** Lowest first; gzipped tars. */
  readonly layers: readonly Descriptor[];
  /** Of the tars that the layers hold, in the same order. */
  readonly diffIds: readonly Digest[];
  /** Empty for an image that was not made here. */
  readonly packages: readonly InstalledPackage[];
};

type Value = Readonly<Record<string, unknown>>;

const manifestLimit = 4 * 2 ** 20;
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
  const manifest: Descriptor = { mediaType: manifestMediaType, digest, size };
  const text = await readObject(manifest, blobs);
  const config = descriptorOf(text['config'], digest);
  const layers = listOf(text['layers'], digest).map((layer) => descriptorOf(layer, digest));
  if (text['schemaVersion'] !== 2 || config.mediaType !== configMediaType)
    throw unreadable(digest, 'is no OCI image manifest');
  if (layers.length === 0 || layers.length > layerLimit)
    throw unreadable(digest, `has ${layers.length} layers; from 1 to ${layerLimit} are taken`);
  for (const { mediaType } of layers)
    if (mediaType !== layerMediaType) throw unreadable(digest, `has a layer of the type ${mediaType}`);

  for (const part of [config, ...layers])
    if ((await presentSize(part.digest, blobs)) !== part.size)
      throw unreadable(part.digest, `has not the ${part.size} bytes that the image ${digest} gives it`);
  const settings = await readObject(config, blobs);
  const diffIds = listOf(objectOf(settings['rootfs'], digest)['diff_ids'], digest);
  if (diffIds.length !== layers.length || !diffIds.every((id) => typeof id === 'string' && isDigest(id)))
    throw unreadable(config.digest, 'does not name one tar for each layer');
  return {
    manifest,
    config,
    layers,
    diffIds: diffIds as readonly Digest[],
    packages: packagesOf(settings, config.digest),
  };
}

async function presentSize(digest: Digest, blobs: Blobs): Promise<number> {
  const size = await blobs.size(digest);
  if (size !== undefined) return size;
  throw new EngineError('IMAGE_MISSING', `the blob ${digest} of an image is not stored`, {
    hint: 'Build or pull the image again.',
    details: { digest },
  });
}

async function readObject(part: Descriptor, blobs: Blobs): Promise<Value> {
  if (part.size > manifestLimit) throw unreadable(part.digest, `is larger than ${manifestLimit} bytes`);
  const text = Buffer.from(await blobs.read(part.digest)).toString();
  try {
    return objectOf(JSON.parse(text), part.digest);
  } catch (cause) {
    throw cause instanceof EngineError ? cause : unreadable(part.digest, 'is no JSON', cause);
  }
}

function packagesOf(config: Value, digest: Digest): readonly InstalledPackage[] {
  const settings = config['config'] === undefined ? {} : objectOf(config['config'], digest);
  const labels = settings['Labels'] ? objectOf(settings['Labels'], digest) : {};
  const label = labels[packagesLabel];
  if (typeof label !== 'string') return [];
  try {
    return listOf(JSON.parse(label), digest).map((item) => {
      const { name, version, architecture } = objectOf(item, digest);
      return { name: String(name), version: String(version), architecture: String(architecture) };
    });
  } catch (cause) {
    throw cause instanceof EngineError ? cause : unreadable(digest, 'has a broken list of packages', cause);
  }
}

function descriptorOf(value: unknown, digest: Digest): Descriptor {
  const part = objectOf(value, digest);
  const { mediaType, size } = part;
  const named = part['digest'];
  if (typeof mediaType !== 'string' || typeof named !== 'string' || !isDigest(named) || !isSize(size))
    throw unreadable(digest, 'has a descriptor without type, digest or size');
  return { mediaType, digest: named, size };
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function objectOf(value: unknown, digest: Digest): Value {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Value;
  throw unreadable(digest, 'is not made as OCI images are');
}

function listOf(value: unknown, digest: Digest): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unreadable(digest, 'is not made as OCI images are');
}

function unreadable(digest: Digest, what: string, cause?: unknown): EngineError {
  return new EngineError('BLOB_CORRUPT', `the blob ${digest} ${what}`, {
    hint: 'Build or pull the image again.',
    details: { digest },
    cause,
  });
}
