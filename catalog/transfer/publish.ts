import type { Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { manifestOf, textSource } from '../entries/artifact.ts';
import {
  type CatalogContent,
  type CatalogEntry,
  type CatalogIndex,
  type CatalogStatement,
  type Channel,
  keyOf,
} from '../entries/catalog-index.ts';
import { describeEntry } from '../entries/describe-entry.ts';
import { type Catalog, versionTag } from '../entries/open-catalog.ts';
import { readManifest } from '../format/read-texts.ts';
import { manifestText } from '../format/root-manifest.ts';
import type { Repository } from '../shelves/repository.ts';
import { signForTools } from '../trust/cosign.ts';
import type { SigningKey } from '../trust/key.ts';
import { requireSigner } from '../trust/require-signer.ts';
import { type OpenContents, partsOf, signBundle, withTexts } from '../trust/sign-bundle.ts';
import { seekable, type Transferred, transfer } from './transfer.ts';

/** What is published, and how. */
export type PublishRequest = {
  readonly bundle: OpenContents;
  /** Signs the bundle, where it has not yet, the index, and the tag for other tools. */
  readonly key?: SigningKey;
  /** Channels that shall stand at this version. */
  readonly channels: readonly Channel[];
};

/** A published version. */
export type Published = Transferred & {
  readonly name: string;
  readonly version: string;
  readonly catalog: string;
  /** The identity. */
  readonly digest: Digest;
  /** Of the root manifest, as registries know it. */
  readonly manifest: Digest;
};

const maxVersionLetters = 80;

/**
 * Publishes a bundle: sends what the catalog lacks, then adds the version to its index. Run again it goes on.
 *
 * @throws EngineError SIGNATURE_MISSING without a key where signatures are wanted; VERSION_EXISTS when the version is there with other content; CATALOG_BUSY; as shelf and catalog do
 */
export async function publish(catalog: Catalog, request: PublishRequest): Promise<Published> {
  const { shelf, signal, now, report } = catalog.options;
  const { key, channels } = request;
  requireSigner(catalog.options, key);
  const bundle = key === undefined ? request.bundle : await signBundle(request.bundle, key, now());
  const { contents } = bundle;
  const { name, version } = contents.list;
  if (version.length > maxVersionLetters)
    throw new EngineError(
      'INPUT_REFUSED',
      `the version of ${name} has more than ${maxVersionLetters} letters`,
    );
  const entry = await describeEntry(bundle, now());
  const before = await catalog.index({ mayBeStale: true });
  requireNew(shelf.name, before, entry);
  const neighbours = neighboursOf(contents.list.images, before);
  const repository = shelf.repository(name, () => neighbours.filter((each) => each !== name));
  const source = seekable(withTexts(bundle));
  const told = { subject: `publish ${name} ${version}`, verb: 'sent', report, now };
  const send = async (held: ReadonlySet<Digest>) =>
    await transfer(
      partsOf(contents),
      async (part, sent) =>
        !held.has(part.digest) && (await repository.put(part, source, signal, sent)) === 'sent',
      told,
    );
  let moved = await send(await heldBy(repository, entry, before, signal));
  const root = manifestOf(manifestText(contents.manifest));
  const head = { apiVersion: 'sheaf/v1', kind: 'CatalogStatement' } as const;
  const at = new Date(now()).toISOString();
  const statements: readonly CatalogStatement[] = [
    { ...head, entry },
    ...channels.map((channel) => ({ ...head, channel: { name, channel, version, at } })),
  ];
  await catalog.add(
    statements,
    key,
    (index) => requireNew(shelf.name, index, entry),
    async () => {
      // without its tag: who loses a race for the version must not keep that
      await repository.putManifest(root, undefined, signal).catch(async (error: unknown) => {
        if (!isRefusedManifest(error)) throw error;
        // it lacks what an older manifest of it names; now each part is asked for
        moved = added(moved, await send(new Set()));
        await repository.putManifest(root, undefined, signal);
      });
      if (key === undefined) return;
      const place = `${shelf.name.replace(/^oci:\/\//, '')}/${name}`;
      const tag = signForTools(root.descriptor.digest, place, key);
      const texts = textSource(new Map(tag.blobs.map(({ descriptor, text }) => [descriptor.digest, text])));
      for (const { descriptor } of tag.blobs)
        await repository.put(descriptor, texts, signal, () => undefined);
      await repository.putManifest(manifestOf(tag.manifest), tag.tag, signal);
    },
  );
  await shelf.exclusively(() => repository.putManifest(root, versionTag(version), signal), signal);
  return {
    name,
    version,
    catalog: shelf.name,
    digest: entry.identity,
    manifest: entry.manifest.digest,
    ...moved,
  };
}

/**
 * Gives what the repository holds by the manifest of its newest version, which it took only with all that it names.
 *
 * A version that is published again is asked for part by part: it may have been sent again to mend what was lost.
 */
async function heldBy(
  repository: Repository,
  { name, version }: CatalogEntry,
  index: CatalogIndex | undefined,
  signal: AbortSignal,
): Promise<ReadonlySet<Digest>> {
  const entries = index?.entries.filter((each) => each.name === name) ?? [];
  const [newest] = entries.sort((a, b) => (a.published < b.published ? 1 : -1));
  if (!repository.checksManifests || newest === undefined || entries.some((each) => each.version === version))
    return new Set();
  const manifest = await repository.manifest(newest.manifest.digest, signal);
  if (manifest === undefined) return new Set();
  const { config, layers } = readManifest(manifest.bytes);
  return new Set([config, ...layers].map(({ digest }) => digest));
}

/** Tells whether a registry did not take a manifest, as it does when a part of it is not there. */
function isRefusedManifest(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'REGISTRY_MALFORMED';
}

function added(first: Transferred, second: Transferred): Transferred {
  return {
    sentBytes: first.sentBytes + second.sentBytes,
    skippedBytes: first.skippedBytes - second.sentBytes,
    sentParts: first.sentParts + second.sentParts,
    skippedParts: first.skippedParts - second.sentParts,
  };
}

function requireNew(
  place: string,
  index: CatalogContent | undefined,
  entry: { readonly name: string; readonly version: string; readonly identity: Digest },
): void {
  const found = index?.entries.find((each) => keyOf(each) === keyOf(entry));
  if (found === undefined || found.identity === entry.identity) return;
  throw new EngineError(
    'VERSION_EXISTS',
    `${entry.name} ${entry.version} is published in ${place} with other content`,
    {
      hint: 'Published versions never change: give it a new version.',
      details: { published: found.identity, given: entry.identity },
    },
  );
}

/** Names whose repositories probably hold parts of this one: the appliances that it is made of, then all others. */
function neighboursOf(
  images: Readonly<Record<string, unknown>>,
  index: CatalogIndex | undefined,
): readonly string[] {
  const published = new Set(index?.entries.map((entry) => entry.name));
  const used = Object.keys(images).map((image) => image.split('@', 1)[0] ?? '');
  return [...new Set([...used.filter((name) => published.has(name)), ...published])];
}
