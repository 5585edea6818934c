import { canonicalJson, digestOf } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { PackingList } from '../../engine/model/packing-list.ts';
import { mediaTypes } from './media-types.ts';

/**
 * The root of a bundle: an OCI image manifest whose config is the packing list and whose layers are everything else.
 *
 * The layers are those of {@link layersOf} in that order, then signatures. So a signature changes the manifest's
 * digest and not the identity, which is the config's.
 */
export type RootManifest = {
  readonly schemaVersion: 2;
  readonly mediaType: typeof mediaTypes.manifest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
};

/** A bundle as data: the texts that name all its parts, and what they mean. */
export type BundleContents = {
  readonly root: Descriptor;
  readonly manifest: RootManifest;
  readonly list: PackingList;
};

/** Makes the root of a packing list. Same list and signatures, same bytes. */
export function contentsOf(list: PackingList, signatures: readonly Descriptor[] = []): BundleContents {
  const config = describe(mediaTypes.packingList, packingListText(list));
  const manifest: RootManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [...layersOf(list), ...signatures],
    annotations: {
      'org.opencontainers.image.title': list.name,
      'org.opencontainers.image.version': list.version,
    },
  };
  return { root: describe(mediaTypes.manifest, manifestText(manifest)), manifest, list };
}

/** Gives the bytes of a packing list, as a bundle's config blob holds them. */
export function packingListText(list: PackingList): string {
  return canonicalJson(list);
}

/** Gives the bytes of a root manifest. */
export function manifestText(manifest: RootManifest): string {
  return canonicalJson(manifest);
}

/** Gives the envelopes of signatures that a manifest carries. */
export function signaturesOf(manifest: RootManifest): readonly Descriptor[] {
  return manifest.layers.filter(({ mediaType }) => mediaType === mediaTypes.signature);
}

/**
 * Lists the parts that a packing list names, each digest once: what is read first stands first, bulk stands last.
 */
export function layersOf(list: PackingList): readonly Descriptor[] {
  return distinct([...textsOf(list), ...list.contents.map(({ layer }) => layer), ...bulkOf(list)]);
}

/** Lists the parts that a thin bundle leaves out: the layers of images and the parts of the kit. */
export function bulkOf(list: PackingList): readonly Descriptor[] {
  const images = inOrder(list.images);
  return distinct([...(list.kit?.parts ?? []), ...images.flatMap(({ layers }) => layers)]);
}

/** Lists the texts that a packing list names: descriptions and their files, images' manifests, configurations and bills of materials, the kit's. */
export function textsOf(list: PackingList): readonly Descriptor[] {
  const files = inOrder(list.files);
  const images = inOrder(list.images).flatMap(({ manifest, config, sbom }) => [
    { ...manifest, mediaType: mediaTypes.imageManifest },
    { ...config, mediaType: mediaTypes.imageConfig },
    ...(sbom === undefined ? [] : [sbom]),
  ]);
  return [...files, ...images, ...(list.kit === undefined ? [] : [list.kit.list])];
}

/** Gives a record's values in the order of canonical JSON, which is the same however the record was made. */
function inOrder<T>(record: Readonly<Record<string, T>>): readonly T[] {
  return Object.entries(record)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value);
}

function distinct(parts: readonly Descriptor[]): readonly Descriptor[] {
  const byDigest = new Map<string, Descriptor>();
  for (const part of parts) if (!byDigest.has(part.digest)) byDigest.set(part.digest, part);
  return [...byDigest.values()];
}

function describe(mediaType: string, text: string): Descriptor {
  return { mediaType, digest: digestOf(text), size: Buffer.byteLength(text) };
}
