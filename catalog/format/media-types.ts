import { partMediaTypes } from '../../engine/model/packing-list.ts';

/** What each part of a bundle is, by its media type. `docs/bundle.md` explains them. */
export const mediaTypes = {
  /** The root: an OCI image manifest, so that every registry and copying tool takes it. */
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  /** Canonical JSON of a packing list; its digest is the bundle's identity. */
  packingList: 'application/vnd.sheaf.packing-list.v1+json',
  ...partMediaTypes,
  /** The manifest of an appliance's image; not OCI's own type, by which some registries would want it pushed as a manifest. */
  imageManifest: 'application/vnd.sheaf.image.manifest.v1+json',
  imageConfig: 'application/vnd.sheaf.image.config.v1+json',
  /** An envelope of signatures over the identity; the one part that the packing list does not name. */
  signature: 'application/vnd.sheaf.signature.v1+json',
} as const;
