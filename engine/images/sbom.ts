import { canonicalJson, type Digest } from '../digest.ts';
import type { Blobs, Descriptor, Refs } from '../model/blob.ts';
import { partMediaTypes } from '../model/packing-list.ts';
import { manifestMediaType, storeJson } from './image-manifest.ts';
import type { LoadedImage } from './load-image.ts';
import type { InstalledPackage } from './packages.ts';

/** An image's bill of materials in the store. */
export type StoredSbom = {
  /** The document itself. */
  readonly document: Descriptor;
  /** An artifact manifest whose subject is the image: what travels with it is found by it. */
  readonly manifest: Descriptor;
};

const emptyMediaType = 'application/vnd.oci.empty.v1+json';

/**
 * Writes an image's bill of materials: every Debian package with version, digest and licences. Same image, same bytes.
 *
 * @param subject - `php@1.0.0`
 * @source CycloneDX 1.5, bom-1.5.schema.json; purl-spec, type `deb`
 */
export function sbomOf(image: Pick<LoadedImage, 'manifest' | 'packages'>, subject: string): string {
  const at = subject.lastIndexOf('@');
  return canonicalJson({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(image.manifest.digest)}`,
    version: 1,
    metadata: {
      component: {
        'bom-ref': image.manifest.digest,
        type: 'container',
        name: subject.slice(0, at),
        version: subject.slice(at + 1),
        hashes: [{ alg: 'SHA-256', content: image.manifest.digest.slice('sha256:'.length) }],
      },
    },
    components: image.packages.map(componentOf),
  });
}

/**
 * Stores an image's bill of materials, and a manifest that leads from the image to it as registries expect it.
 *
 * The image's own bytes hold everything that it is made of, so it can be made again wherever the image is.
 *
 * @source OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage"
 */
export async function storeSbom(
  image: Pick<LoadedImage, 'manifest' | 'packages'>,
  subject: string,
  { blobs, refs }: { readonly blobs: Blobs; readonly refs: Refs },
): Promise<StoredSbom> {
  const text = sbomOf(image, subject);
  const document: Descriptor = {
    mediaType: partMediaTypes.sbom,
    digest: await blobs.write(text),
    size: Buffer.byteLength(text),
  };
  const manifest = await storeJson(blobs, manifestMediaType, {
    schemaVersion: 2,
    mediaType: manifestMediaType,
    artifactType: partMediaTypes.sbom,
    config: await storeJson(blobs, emptyMediaType, {}),
    layers: [document],
    subject: image.manifest,
  });
  refs.set(`sbom/${image.manifest.digest}`, manifest.digest);
  return { document, manifest };
}

function componentOf({ name, version, architecture, sha256, licenses = [] }: InstalledPackage) {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`;
  return {
    'bom-ref': purl,
    type: 'library',
    name,
    version,
    purl,
    ...(sha256 !== undefined && { hashes: [{ alg: 'SHA-256', content: sha256 }] }),
    ...(licenses.length > 0 && { licenses: licenses.map((license) => ({ license: { name: license } })) }),
  };
}

/** Makes a UUID of an image's digest: of version 8, whose bits are the maker's own (RFC 9562). */
function uuidOf(digest: Digest): string {
  const hex = digest.slice('sha256:'.length);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
