import type { JudgeSignatures } from '../catalog/index.ts';

/** What the verbs that handle bundles are given, put together beside the engine. */
export type Bundles = {
  /** Says whose signatures count. */
  readonly judge: JudgeSignatures;
  /** Debian packages that a server needs to run a bundle with the network off. */
  readonly prerequisites: readonly string[];
};
