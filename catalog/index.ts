// The public face: bundles, as files and as data.
export type { BlobSink, BlobSource } from './blob-source.ts';
export { mediaTypes } from './media-types.ts';
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
