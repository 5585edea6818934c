import { canonicalJson, digestOf, isDigest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { Repository, SeekableSource, StoredManifest } from '../shelves/repository.ts';
import { type Envelope, envelopeBytes, envelopeText, readEnvelope } from '../trust/envelope.ts';
import { jsonOf } from '../trust/statement.ts';

/** The media type of an envelope that is the config of a manifest of its own. */
export const envelopeMediaType = 'application/vnd.sheaf.envelope.v1+json';
const manifestMediaType = 'application/vnd.oci.image.manifest.v1+json';

/** Stores an envelope under a tag, which moves when it exists. */
export async function putEnvelope(
  repository: Repository,
  tag: string,
  envelope: Envelope,
  signal: AbortSignal,
): Promise<void> {
  const text = envelopeText(envelope);
  const config = { mediaType: envelopeMediaType, digest: digestOf(text), size: Buffer.byteLength(text) };
  await repository.put(config, textSource(new Map([[config.digest, text]])), signal, () => undefined, true);
  // the schema of OCI's manifests wants a layer, and nobody reads this one
  const manifest = { schemaVersion: 2, mediaType: manifestMediaType, config, layers: [config] };
  await repository.putManifest(manifestOf(canonicalJson(manifest)), tag, signal);
}

/** Reads the envelope under a tag; undefined when there is none. @throws EngineError CATALOG_CORRUPT, SIGNATURE_WRONG */
export async function readTaggedEnvelope(
  repository: Repository,
  tag: string,
  signal: AbortSignal,
): Promise<Envelope | undefined> {
  const manifest = await repository.manifest(tag, signal);
  if (manifest === undefined) return undefined;
  const value = jsonOf(manifest.bytes);
  const { config } = typeof value === 'object' && value !== null && 'config' in value ? value : {};
  if (!isDescriptor(config) || config.mediaType !== envelopeMediaType || config.size > envelopeBytes)
    throw new EngineError('CATALOG_CORRUPT', `${tag} of ${repository.name} is not what a catalog has there`, {
      hint: 'Does something else than Sheaf write to it?',
    });
  const chunks: Uint8Array[] = [];
  for await (const chunk of repository.open(config, signal)) chunks.push(chunk);
  return readEnvelope(Buffer.concat(chunks));
}

/** Makes a manifest of its text. */
export function manifestOf(text: string): StoredManifest {
  const bytes = Buffer.from(text);
  return {
    descriptor: { mediaType: manifestMediaType, digest: digestOf(bytes), size: bytes.byteLength },
    bytes,
  };
}

/** Gives texts as a source, by digest. */
export function textSource(texts: ReadonlyMap<string, string>): SeekableSource {
  return {
    open: async function* ({ digest }, _, offset = 0) {
      yield Buffer.from(texts.get(digest) ?? '').subarray(offset);
    },
  };
}

/** Tells whether a value of a stranger is a descriptor. */
export function isDescriptor(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null) return false;
  const { mediaType, digest, size }: Partial<Record<string, unknown>> = { ...value };
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    isDigest(digest) &&
    Number.isSafeInteger(size) &&
    Number(size) >= 0
  );
}
