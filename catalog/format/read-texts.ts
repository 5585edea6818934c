import { canonicalJson, type Digest } from '../../engine/digest.ts';
import { checkSchema, type SchemaName } from '../../engine/formats/schema.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import { isLayerType } from '../../engine/model/layer-type.ts';
import { type PackingList, partMediaTypes } from '../../engine/model/packing-list.ts';
import { annotations, type BundleForm, type FormNote } from './layout.ts';
import { mediaTypes } from './media-types.ts';
import { refusal } from './refusals.ts';
import { layersOf, manifestText, packingListText, type RootManifest } from './root-manifest.ts';

/** What `index.json` names, and says of the file. */
export type BundleIndex = { readonly manifests: readonly Descriptor[]; readonly note: FormNote };

/** How long each text may be; bytes. */
export const textLimits = {
  layout: 4096,
  index: 2 ** 20,
  manifest: 8 * 2 ** 20,
  list: 16 * 2 ** 20,
} as const;

/** Reads `oci-layout`. @throws EngineError BUNDLE_UNREADABLE, BUNDLE_TYPE_UNKNOWN */
export function checkLayout(bytes: Uint8Array): void {
  const value = parse('oci-layout', bytes);
  const version =
    typeof value === 'object' && value !== null && 'imageLayoutVersion' in value
      ? value.imageLayoutVersion
      : undefined;
  if (version !== '1.0.0')
    throw refusal('BUNDLE_TYPE_UNKNOWN', `is a layout of the version ${JSON.stringify(version)}`);
}

/** Reads `index.json`. @throws EngineError BUNDLE_UNREADABLE, BUNDLE_TYPE_UNKNOWN */
export function readIndex(bytes: Uint8Array): BundleIndex {
  const value = parse('index.json', bytes);
  requireShape('bundle-index', 'index.json', value);
  const index = value as {
    readonly manifests: readonly Descriptor[];
    readonly annotations?: { readonly [annotations.form]?: BundleForm; readonly [annotations.base]?: Digest };
  };
  for (const { mediaType } of index.manifests)
    if (!manifestTypes.includes(mediaType))
      throw refusal(
        'BUNDLE_TYPE_UNKNOWN',
        `names something of the type ${JSON.stringify(mediaType)} in its index.json`,
      );
  const base = index.annotations?.[annotations.base];
  return {
    manifests: index.manifests.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    // a tool that copied the bundle may have written an index of its own
    note: { form: index.annotations?.[annotations.form] ?? 'thick', ...(base !== undefined && { base }) },
  };
}

/** Tells whether a manifest is the root of a bundle; nothing else about it is judged. */
export function isRoot(bytes: Uint8Array): boolean {
  const value = parse('a manifest', bytes);
  if (typeof value !== 'object' || value === null || !('config' in value)) return false;
  const { config } = value;
  if (typeof config !== 'object' || config === null || !('mediaType' in config)) return false;
  return config.mediaType === mediaTypes.packingList;
}

/** Reads the root manifest. @throws EngineError BUNDLE_UNREADABLE */
export function readManifest(bytes: Uint8Array): RootManifest {
  const value = parse('its manifest', bytes);
  requireShape('bundle-manifest', 'its manifest', value);
  const manifest = value as RootManifest;
  // so that the bytes follow from the data when the bundle is written in another form
  if (manifestText(manifest) !== Buffer.from(bytes).toString())
    throw refusal('BUNDLE_UNREADABLE', 'has a manifest that is no canonical JSON');
  return manifest;
}

/**
 * Reads a packing list, and holds the manifest against it: the layers must be the parts of the list, each as the list
 * describes it, and then signatures.
 *
 * @throws EngineError BUNDLE_UNREADABLE, BUNDLE_TYPE_UNKNOWN, BUNDLE_CONTRADICTORY
 */
export function readPackingList(bytes: Uint8Array, manifest: RootManifest): PackingList {
  const value = parse('its packing list', bytes);
  const { apiVersion } = value as { readonly apiVersion?: unknown };
  if (apiVersion !== 'sheaf/v1')
    throw refusal('BUNDLE_TYPE_UNKNOWN', `is of the format ${JSON.stringify(apiVersion ?? null)}`);
  requireShape('packing-list', 'its packing list', value);
  const list = value as PackingList;
  requireShape('lock', 'the lock in its packing list', list.lock);
  // one form for one meaning: no key twice, nothing that two readers could see differently
  if (packingListText(list) !== Buffer.from(bytes).toString())
    throw refusal('BUNDLE_UNREADABLE', 'has a packing list that is no canonical JSON');
  checkTypes(list);
  const expected = layersOf(list);
  const named = manifest.layers.slice(0, expected.length);
  const extra = manifest.layers.slice(expected.length);
  const unknown = extra.find(({ mediaType }) => mediaType !== mediaTypes.signature);
  if (unknown !== undefined)
    throw refusal(
      'BUNDLE_TYPE_UNKNOWN',
      `has a part of the type ${JSON.stringify(unknown.mediaType)} that its packing list does not name`,
    );
  if (canonicalJson(named) !== canonicalJson(expected))
    throw refusal('BUNDLE_CONTRADICTORY', 'has a manifest that names other parts than its packing list');
  return list;
}

const kitType = /^application\/vnd\.sheaf\.kit\.[a-z]+\.v1(?:\.[a-z]+)?$/;
const fileTypes: readonly string[] = [partMediaTypes.description, partMediaTypes.file];
// OCI's and Docker's are alike
const manifestTypes: readonly string[] = [
  mediaTypes.manifest,
  'application/vnd.docker.distribution.manifest.v2+json',
];
const configTypes: readonly string[] = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];

function checkTypes(list: PackingList): void {
  const check = (parts: readonly Descriptor[], isKnown: (type: string) => boolean): void => {
    const unknown = parts.find(({ mediaType }) => !isKnown(mediaType));
    if (unknown !== undefined)
      throw refusal('BUNDLE_TYPE_UNKNOWN', `has a part of the type ${JSON.stringify(unknown.mediaType)}`);
  };
  const images = Object.values(list.images);
  check(Object.values(list.files), (type) => fileTypes.includes(type));
  check(
    list.contents.map(({ layer }) => layer),
    isLayerType,
  );
  check(
    images.flatMap(({ layers }) => layers),
    isLayerType,
  );
  check(
    images.map(({ manifest }) => manifest),
    (type) => manifestTypes.includes(type),
  );
  check(
    images.map(({ config }) => config),
    (type) => configTypes.includes(type),
  );
  check(
    images.flatMap(({ sbom }) => sbom ?? []),
    (type) => type === partMediaTypes.sbom,
  );
  if (list.kit === undefined) return;
  check([list.kit.list], (type) => type === partMediaTypes.kit);
  check(list.kit.parts, (type) => kitType.test(type));
}

function parse(what: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw refusal('BUNDLE_UNREADABLE', `cannot be read: ${what} is no JSON`, { cause });
  }
}

function requireShape(schema: SchemaName, what: string, value: unknown): void {
  const [fault] = checkSchema(schema, value);
  if (fault === undefined) return;
  const place = fault.path.length === 0 ? what : `${what}, at ${fault.path.join('/').slice(0, 200)}`;
  throw refusal('BUNDLE_UNREADABLE', `cannot be read: ${place}: ${fault.message}`);
}
