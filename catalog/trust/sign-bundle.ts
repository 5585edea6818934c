import { digestOf } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { BlobSource } from '../format/blob-source.ts';
import { mediaTypes } from '../format/media-types.ts';
import {
  type BundleContents,
  contentsOf,
  manifestText,
  packingListText,
  signaturesOf,
} from '../format/root-manifest.ts';
import { type Envelope, envelopeText, readEnvelope } from './envelope.ts';
import type { SigningKey } from './key.ts';
import { signStatement } from './statement.ts';

/** A bundle's data and where its parts come from. */
export type OpenContents = { readonly contents: BundleContents; readonly source: BlobSource };

/** An envelope of a bundle may have so many bytes. */
const bundleEnvelopeBytes = 2 ** 20;

/**
 * Adds a signature over the identity. The identity stays, the root's digest changes.
 *
 * A bundle that this key has signed already comes back as it is.
 *
 * @param now - milliseconds since 1970
 * @throws EngineError KEY_EXPIRED, SIGNATURE_WRONG when a signature in it is none
 */
export async function signBundle(bundle: OpenContents, key: SigningKey, now: number): Promise<OpenContents> {
  const { contents, source } = bundle;
  const { list, manifest } = contents;
  const present = await readSignatures(bundle);
  if (present.some(({ signatures }) => signatures.some(({ keyid }) => keyid === key.id))) return bundle;
  const identity = manifest.config.digest;
  const text = envelopeText(signStatement({ name: list.name, version: list.version, identity }, key, now));
  const part = { mediaType: mediaTypes.signature, digest: digestOf(text), size: Buffer.byteLength(text) };
  return {
    contents: contentsOf(list, [...signaturesOf(manifest), part]),
    source: { open: (wanted) => (wanted.digest === part.digest ? single(text) : source.open(wanted)) },
  };
}

/** Reads the signatures that a bundle carries. @throws EngineError SIGNATURE_WRONG when one is no envelope */
export async function readSignatures({ contents, source }: OpenContents): Promise<readonly Envelope[]> {
  const envelopes: Envelope[] = [];
  for (const part of signaturesOf(contents.manifest).slice(0, 16)) {
    if (part.size > bundleEnvelopeBytes) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.open(part)) chunks.push(chunk);
    envelopes.push(readEnvelope(Buffer.concat(chunks)));
  }
  return envelopes;
}

/** Gives all that goes to a catalog beside the root: the packing list, and every layer once. */
export function partsOf({ manifest }: BundleContents): readonly Descriptor[] {
  const parts = new Map([manifest.config, ...manifest.layers].map((part) => [part.digest, part]));
  return [...parts.values()];
}

/** Adds the texts that follow from the data to a source of the other parts. */
export function withTexts({ contents, source }: OpenContents): BlobSource {
  const { manifest, root, list } = contents;
  return {
    open: (part) => {
      if (part.digest === manifest.config.digest) return single(packingListText(list));
      if (part.digest === root.digest) return single(manifestText(manifest));
      return source.open(part);
    },
  };
}

async function* single(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
