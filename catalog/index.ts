// The public face: bundles as files and as data, catalogs, keys and trust.
export type { BlobSink, BlobSource } from './blob-source.ts';
export { type Channel, channels } from './catalog-index.ts';
export { openCatalogMemory } from './catalog-memory.ts';
export { checkParts } from './check-parts.ts';
export { parseWanted } from './choose-version.ts';
export { type Inspection, inspect } from './inspect.ts';
export { judgeFiles } from './judge-file.ts';
export type { BundleForm, FormNote } from './layout.ts';
export { mediaTypes } from './media-types.ts';
export { type BundleFile, openBundle } from './open-bundle.ts';
export { type Catalog, openCatalog } from './open-catalog.ts';
export { openOuterCatalog } from './outer-catalog.ts';
export { type PackedFile, packFile } from './pack-bundle.ts';
export { isBundle, openPackedBundle } from './packed-bundle.ts';
export { type Published, publish } from './publish.ts';
export { fetchParts, findPublished, packedSourceOf } from './pull.ts';
export { pullFile } from './pull-file.ts';
export { readSbom } from './read-sbom.ts';
export { readSettings } from './read-settings.ts';
export { openCredentials } from './registry/credentials.ts';
export { openHttp } from './registry/http.ts';
export { openImageFetcher } from './registry/image-fetcher.ts';
export { readProxies } from './registry/proxies.ts';
export { parseReference } from './registry/reference.ts';
export { openRegistry, type Registry } from './registry/registry.ts';
export { openUploadMemory } from './registry/upload-memory.ts';
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
export { type SearchHit, search } from './search.ts';
export { openFolderShelf } from './shelves/folder-shelf.ts';
export { openRegistryShelf } from './shelves/registry-shelf.ts';
export { type SignedFile, signFile } from './sign-file.ts';
export type { JudgeSignatures, SignatureVerdict } from './signatures.ts';
export { makeKey, readSigningKey, type SigningKey } from './trust/key.ts';
export type { TrustPolicy } from './trust/policy.ts';
export { readPolicy } from './trust/read-policy.ts';
export { requireFresh } from './trust/statement.ts';
export { type KnownKey, listKeys, type PolicyListing, revokeKey, trustKey } from './trust/trust-key.ts';
export { type CatalogCall, writeBundle } from './write-bundle.ts';
export { yank } from './yank.ts';
