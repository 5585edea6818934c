// The public face: bundles, as files and as data.
export type { BlobSink, BlobSource } from './blob-source.ts';
export { checkParts } from './check-parts.ts';
export { type Inspection, inspect } from './inspect.ts';
export type { BundleForm, FormNote } from './layout.ts';
export { mediaTypes } from './media-types.ts';
export { type BundleFile, openBundle } from './open-bundle.ts';
export { type PackedFile, packFile } from './pack-bundle.ts';
export { isBundle, openPackedBundle } from './packed-bundle.ts';
export {
  type BundleContents,
  bulkOf,
  contentsOf,
  layersOf,
  manifestText,
  packingListText,
  type RootManifest,
  signaturesOf,
} from './root-manifest.ts';
export type { JudgeSignatures, SignatureVerdict } from './signatures.ts';
export { type CatalogCall, writeBundle } from './write-bundle.ts';
