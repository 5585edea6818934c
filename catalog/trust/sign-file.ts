import type { Digest } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import { mediaTypes } from '../format/media-types.ts';
import { openBundle } from '../format/open-bundle.ts';
import { type CatalogCall, writeBundle } from '../format/write-bundle.ts';
import type { SigningKey } from './key.ts';
import { signBundle } from './sign-bundle.ts';

/** A signed bundle file. */
export type SignedFile = {
  readonly file: string;
  /** The identity, which a signature does not change. */
  readonly digest: Digest;
  /** Of the root manifest, which it does change. */
  readonly manifest: Digest;
  /** Id of the key. */
  readonly key: Digest;
};

/**
 * Adds a signature to a bundle file, in its place and its form.
 *
 * @param now - milliseconds since 1970
 * @throws EngineError BUNDLE_…, KEY_EXPIRED, DISK_FULL; the file is then as it was
 */
export async function signFile(
  file: string,
  key: SigningKey,
  now: number,
  call: CatalogCall,
): Promise<SignedFile> {
  const bundle = await openBundle(file);
  try {
    const { contents, source } = await signBundle({ contents: bundle.contents, source: bundle }, key, now);
    const takes = (part: Descriptor): boolean => bundle.has(part) || part.mediaType === mediaTypes.signature;
    await writeBundle(file, { contents, note: bundle.note, takes, source }, call);
    const { manifest, root } = contents;
    return { file, digest: manifest.config.digest, manifest: root.digest, key: key.id };
  } finally {
    await bundle.close();
  }
}
