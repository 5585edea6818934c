import { isAbsolute, join } from 'node:path';
import { type Digest, isDigest } from '../digest.ts';

/** Where an OCI image lies: in an image layout on this machine, or at a registry. */
export type ImageRef = { readonly digest: Digest } & (
  | { readonly kind: 'folder' /** Absolute. */; readonly folder: string }
  | { readonly kind: 'registry' /** `registry.example.com/team/name`. */; readonly repository: string }
);

/**
 * Reads the reference of an appliance's image: `oci:PATH@DIGEST`, a path that begins with a dot or slash, or a
 * repository with a digest (`oci://` in front of it may be left out).
 *
 * @param base - folder from which relative paths count
 * @returns undefined when the digest is none, or nothing stands before it
 */
export function parseImageRef(text: string, base: string): ImageRef | undefined {
  const at = text.lastIndexOf('@');
  const [place, digest] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  if (!isDigest(digest) || place === '') return undefined;
  if (!/^(oci:(?!\/\/)|\.|\/)/.test(place))
    return { kind: 'registry', repository: place.replace(/^oci:\/\//, ''), digest };
  const path = place.replace(/^oci:/, '');
  return path === ''
    ? undefined
    : { kind: 'folder', folder: isAbsolute(path) ? path : join(base, path), digest };
}
