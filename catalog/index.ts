// The public face: bundles as files and as data, catalogs, keys and trust.

export { type Channel, channels } from './entries/catalog-index.ts';
export { openCatalogMemory } from './entries/catalog-memory.ts';
export { parseWanted } from './entries/choose-version.ts';
export { type Catalog, openCatalog } from './entries/open-catalog.ts';
export { openOuterCatalog } from './entries/outer-catalog.ts';
export { type SearchHit, search } from './entries/search.ts';
export { yank } from './entries/yank.ts';
export type { BlobSink, BlobSource } from './format/blob-source.ts';
export { checkParts } from './format/check-parts.ts';
export { type Inspection, inspect } from './format/inspect.ts';
export type { BundleForm, FormNote } from './format/layout.ts';
export { mediaTypes } from './format/media-types.ts';
export { type BundleFile, openBundle } from './format/open-bundle.ts';
export { type PackedFile, packFile } from './format/pack-bundle.ts';
export { isBundle, openPackedBundle } from './format/packed-bundle.ts';
export { readSbom } from './format/read-sbom.ts';
export {
  type BundleContents,
  bulkOf,
  contentsOf,
  layersOf,
  manifestText,
  packingListText,
  type RootManifest,
  signaturesOf,
} from './format/root-manifest.ts';
export { type CatalogCall, writeBundle } from './format/write-bundle.ts';
export { readSettings } from './read-settings.ts';
export { openCredentials } from './registry/credentials.ts';
export { openHttp } from './registry/http.ts';
export { openImageFetcher } from './registry/image-fetcher.ts';
export { readProxies } from './registry/proxies.ts';
export { parseReference } from './registry/reference.ts';
export { openRegistry, type Registry } from './registry/registry.ts';
export { openUploadMemory } from './registry/upload-memory.ts';
export { openFolderShelf } from './shelves/folder-shelf.ts';
export { openRegistryShelf } from './shelves/registry-shelf.ts';
export { type Published, publish } from './transfer/publish.ts';
export { fetchParts, findPublished, packedSourceOf } from './transfer/pull.ts';
export { pullFile } from './transfer/pull-file.ts';
export { judgeFiles } from './trust/judge-file.ts';
export { makeKey, readSigningKey, type SigningKey } from './trust/key.ts';
export type { TrustPolicy } from './trust/policy.ts';
export { readPolicy } from './trust/read-policy.ts';
export { type SignedFile, signFile } from './trust/sign-file.ts';
export type { JudgeSignatures, SignatureVerdict } from './trust/signatures.ts';
export { requireFresh } from './trust/statement.ts';
export { type KnownKey, listKeys, type PolicyListing, revokeKey, trustKey } from './trust/trust-key.ts';
