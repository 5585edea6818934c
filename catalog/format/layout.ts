import { canonicalJson, type Digest } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { BundleContents } from './root-manifest.ts';

/** How much of its closure a bundle holds: all, all but the bulk of images and kit, or what its base lacks. */
export type BundleForm = 'thick' | 'thin' | 'delta';

/** What a bundle file says of itself beside its contents. */
export type FormNote = {
  readonly form: BundleForm;
  /** Identity of the bundle that a delta goes with. */
  readonly base?: Digest;
};

/** The names of annotations in a bundle's `index.json`. */
export const annotations = { form: 'sheaf.form', base: 'sheaf.base' } as const;

/** The text of `oci-layout`. @source OCI image specification 1.1, image-layout.md */
export const layoutText = canonicalJson({ imageLayoutVersion: '1.0.0' });

/** The path of a blob in a layout. */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

/**
 * Writes the `index.json` of a bundle: the root first, as `NAME:VERSION`, then the image of each appliance as
 * `appliances/NAME:VERSION`, so that any tool that knows OCI layouts can take it out.
 *
 * @source OCI image specification 1.1, image-index.md and annotations.md
 */
export function indexText({ root, list }: BundleContents, { form, base }: FormNote): string {
  const images = Object.entries(list.images)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { manifest }]) => named(manifest, `appliances/${name.replace('@', ':')}`));
  return canonicalJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [named(root, `${list.name}:${list.version}`), ...images],
    annotations: { [annotations.form]: form, ...(base !== undefined && { [annotations.base]: base }) },
  });
}

function named({ mediaType, digest, size }: Descriptor, name: string): unknown {
  return {
    mediaType,
    digest,
    size,
    annotations: { 'org.opencontainers.image.ref.name': name },
  };
}
