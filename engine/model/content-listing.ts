import { canonicalJson, type Digest, digestOf } from '../digest.ts';

/** One file, folder or symbolic link of a content folder; the path is relative, with `/` between its parts. */
export type ContentEntry =
  | { readonly path: string; readonly kind: 'folder' }
  | {
      readonly path: string;
      readonly kind: 'file';
      readonly isExecutable: boolean;
      /** Bytes. */
      readonly size: number;
      readonly digest: Digest;
    }
  | { readonly path: string; readonly kind: 'link'; readonly target: string };

/** Gives the digest that names a content folder: of its entries in code-unit order of their paths. */
export function contentDigest(entries: readonly ContentEntry[]): Digest {
  return digestOf(canonicalJson(entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))));
}
