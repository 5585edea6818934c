import type { JudgeSignatures } from '../catalog/index.ts';
import type { PackingList } from '../engine/model/packing-list.ts';

/** What the verbs that handle bundles are given, put together beside the engine. */
export type Bundles = {
  /** Says whose signatures count. */
  readonly judge: JudgeSignatures;
  /** Names the Debian packages that a server needs to run a bundle with the network off. */
  readonly prerequisites: (list: PackingList) => Promise<readonly string[]>;
};
