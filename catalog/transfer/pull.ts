import { EngineError } from '../../engine/errors.ts';
import type { Blobs, Descriptor } from '../../engine/model/blob.ts';
import type { PackedSource } from '../../engine/model/packed-source.ts';
import { type CatalogEntry, type CatalogIndex, keyOf } from '../entries/catalog-index.ts';
import { chooseVersion, versionMissing, type Wanted } from '../entries/choose-version.ts';
import type { Catalog } from '../entries/open-catalog.ts';
import { checkTexts } from '../format/check-parts.ts';
import type { BundleFile } from '../format/open-bundle.ts';
import { readManifest, readPackingList, textLimits } from '../format/read-texts.ts';
import { refusal } from '../format/refusals.ts';
import { layersOf, textsOf } from '../format/root-manifest.ts';
import type { Repository } from '../shelves/repository.ts';
import { judgeBundle, type Verdict } from '../trust/judge.ts';
import { partsOf, readSignatures } from '../trust/sign-bundle.ts';
import { type Transferred, transfer } from './transfer.ts';

/** A version in a catalog, found and judged; nothing but its texts was read. */
export type FoundBundle = {
  readonly bundle: BundleFile;
  readonly entry: CatalogEntry;
  readonly catalog: Catalog;
  readonly verdict: Verdict;
};

/**
 * Finds a version in the first catalog that has one, and judges its signatures.
 *
 * @throws EngineError VERSION_MISSING, CATALOG_CORRUPT, SIGNATURE_…, KEY_EXPIRED, BUNDLE_…, as the catalogs do
 */
export async function findPublished(catalogs: readonly Catalog[], wanted: Wanted): Promise<FoundBundle> {
  const asked: { readonly catalog: string; readonly index: CatalogIndex | undefined }[] = [];
  for (const catalog of catalogs) {
    const { shelf, report } = catalog.options;
    const index = await catalog.index();
    asked.push({ catalog: shelf.name, index });
    const chosen = index && chooseVersion(index, wanted);
    if (chosen === undefined) continue;
    if (chosen.yanked !== undefined) {
      const message = `${keyOf(chosen.entry)} was withdrawn: ${chosen.yanked}`;
      report({ type: 'warning', code: 'NOTE', message, hint: 'Choose another version.' });
    }
    return await openEntry(catalog, chosen.entry);
  }
  throw versionMissing(wanted, asked);
}

/**
 * Opens a version of a catalog, and judges its signatures.
 *
 * @throws EngineError CATALOG_CORRUPT, SIGNATURE_…, KEY_EXPIRED, BUNDLE_…, as the catalog does
 */
export async function openEntry(catalog: Catalog, entry: CatalogEntry): Promise<FoundBundle> {
  const { shelf, policy, isInsecure, now, report, signal } = catalog.options;
  const repository = shelf.repository(entry.name);
  const bundle = await openRemote(repository, entry, signal);
  const { list, manifest } = bundle.contents;
  if (manifest.config.digest !== entry.identity || list.name !== entry.name || list.version !== entry.version)
    throw new EngineError(
      'CATALOG_CORRUPT',
      `${shelf.name} holds something else than ${keyOf(entry)} under its name`,
      {
        hint: 'Do not use it, and tell whoever runs the catalog.',
      },
    );
  const envelopes = await readSignatures({ contents: bundle.contents, source: bundle });
  const subject = { name: entry.name, version: entry.version, identity: entry.identity, catalog: shelf.name };
  const verdict = judgeBundle(policy, subject, envelopes, now());
  if (verdict.kind === 'refused') {
    if (!isInsecure) throw verdict.error;
    const { code, message } = verdict.error;
    report({ type: 'warning', code, message: `not checked, as --insecure says: ${message}` });
  }
  return { bundle, entry, catalog, verdict };
}

async function openRemote(
  repository: Repository,
  entry: CatalogEntry,
  signal: AbortSignal,
): Promise<BundleFile> {
  const root = await repository.manifest(entry.manifest.digest, signal);
  if (root === undefined)
    throw new EngineError(
      'CONTENT_MISMATCH',
      `${repository.name} lacks ${entry.manifest.digest}, which its index names`,
      {
        hint: 'What was published there is not whole; publish it again.',
      },
    );
  const manifest = readManifest(root.bytes);
  const read = async (part: Descriptor, limit: number): Promise<Uint8Array> => {
    if (part.size > limit)
      throw refusal('BUNDLE_TOO_LARGE', `has a text of ${part.size} bytes; ${limit} are taken`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of repository.open(part, signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const list = readPackingList(await read(manifest.config, textLimits.list), manifest);
  const contents = { root: root.descriptor, manifest, list };
  return {
    contents,
    note: { form: 'thick' },
    bytes: partsOf(contents).reduce((sum, { size }) => sum + size, 0),
    has: () => true,
    open: (part) => repository.open(part, signal),
    read: (part) => read(part, 32 * 2 ** 20),
    close: async () => undefined,
  };
}

/**
 * Fetches what the store lacks of a version, eight parts at once. Every part is checked before it has its name.
 *
 * @throws EngineError CONTENT_MISMATCH, BUNDLE_…, DISK_FULL, as the shelf does
 */
export async function fetchParts(
  { bundle, entry, catalog }: FoundBundle,
  blobs: Blobs,
): Promise<Transferred> {
  const { now, report } = catalog.options;
  const { list, manifest } = bundle.contents;
  const signatures = manifest.layers.slice(layersOf(list).length);
  const parts = [...layersOf(list), ...signatures];
  const lacking = new Set<string>();
  for (const part of parts) if ((await blobs.size(part.digest)) !== part.size) lacking.add(part.digest);
  const opened = lacking.size > 0 ? await checkTexts(bundle) : undefined;
  const told = { subject: `pull ${entry.name} ${entry.version}`, verb: 'fetched', report, now };
  return await transfer(
    parts,
    async (part, moved) => {
      if (opened === undefined || !lacking.has(part.digest)) return false;
      await blobs.writeStream(counted(opened(part), moved));
      return true;
    },
    told,
  );
}

/** Makes a found version a source that the engine deploys. */
export function packedSourceOf(found: FoundBundle): PackedSource {
  const { bundle } = found;
  const { list, manifest } = bundle.contents;
  const files = new Map(textsOf(list).map((part) => [part.digest, part]));
  return {
    list,
    digest: manifest.config.digest,
    readFile: async (digest) => {
      const part = files.get(digest);
      if (part === undefined) throw refusal('BUNDLE_INCOMPLETE', `does not hold ${digest}`);
      return await bundle.read(part);
    },
    storeParts: async (blobs) => void (await fetchParts(found, blobs)),
    close: () => bundle.close(),
  };
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  moved: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    moved(chunk.byteLength);
    yield chunk;
  }
}
