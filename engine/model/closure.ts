import type { Digest } from '../digest.ts';
import type { Descriptor } from './blob.ts';

/** Everything that is run, by digest: what was built for a blueprint. */
export type Closure = {
  readonly kit: Digest;
  /** The image's layers by appliance path, lowest first. */
  readonly images: ReadonlyMap<string, readonly Descriptor[]>;
  /** The contents' layers by appliance path, in the blueprint's order; absent where there are none. */
  readonly contents: ReadonlyMap<string, readonly Descriptor[]>;
};
