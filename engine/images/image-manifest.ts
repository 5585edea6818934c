import { canonicalJson } from '../digest.ts';
import type { Blobs, Descriptor } from '../model/blob.ts';
import type { StoredLayer } from './layer-blob.ts';
import type { InstalledPackage } from './packages.ts';
import { imageTime } from './tree.ts';

/** The media type of an OCI image's manifest. */
export const manifestMediaType = 'application/vnd.oci.image.manifest.v1+json';
/** The media type of an OCI image's configuration. */
export const configMediaType = 'application/vnd.oci.image.config.v1+json';
/** The media types of lists of manifests, one for each platform: OCI's and Docker's. */
export const indexMediaTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
/** The media types of configurations that are read: OCI's and Docker's, which are alike. */
export const configMediaTypes: readonly string[] = [
  configMediaType,
  'application/vnd.docker.container.image.v1+json',
];
/** The label that holds the installed packages, as canonical JSON of {@link InstalledPackage}s. */
export const packagesLabel = 'sheaf.packages';

/** What an image's manifest and configuration are made of. */
export type ImageParts = {
  readonly name: string;
  readonly version: string;
  /** Lowest first. */
  readonly layers: readonly (StoredLayer & { readonly origin: string })[];
  readonly packages: readonly InstalledPackage[];
};

/**
 * Stores the configuration and the manifest of an image whose layers are stored. Same parts, same digest.
 *
 * @returns the manifest's descriptor
 * @source OCI image specification 1.1, config.md and manifest.md
 */
export async function storeImage(parts: ImageParts, blobs: Blobs): Promise<Descriptor> {
  const created = new Date(imageTime * 1000).toISOString();
  const config = await storeJson(blobs, configMediaType, {
    architecture: 'amd64',
    os: 'linux',
    created,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Labels: { [packagesLabel]: canonicalJson(parts.packages) },
    },
    rootfs: { type: 'layers', diff_ids: parts.layers.map(({ diffId }) => diffId) },
    history: parts.layers.map(({ origin }) => ({ created, created_by: origin })),
  });
  return await storeJson(blobs, manifestMediaType, {
    schemaVersion: 2,
    mediaType: manifestMediaType,
    config,
    layers: parts.layers.map(({ layer }) => layer),
    annotations: {
      'org.opencontainers.image.title': parts.name,
      'org.opencontainers.image.version': parts.version,
    },
  });
}

/** Stores a value as canonical JSON. @returns its descriptor */
export async function storeJson(blobs: Blobs, mediaType: string, value: unknown): Promise<Descriptor> {
  const text = canonicalJson(value);
  return { mediaType, digest: await blobs.write(text), size: Buffer.byteLength(text) };
}
