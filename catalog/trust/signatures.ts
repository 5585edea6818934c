import type { BundleFile } from '../format/open-bundle.ts';

/** What somebody who knows the trusted keys says of a bundle. */
export type SignatureVerdict = {
  readonly state: 'unsigned' | 'trusted' | 'untrusted';
  /** Names of the keys that signed. */
  readonly keys: readonly string[];
  /** Why, in one sentence. */
  readonly reason: string;
};

/** Judges the signatures of a bundle. What may not be used is refused by an error, not by a verdict. */
export type JudgeSignatures = (bundle: BundleFile) => Promise<SignatureVerdict>;
