import type { Digest } from '../digest.ts';
import type { ObjectKind } from './step.ts';

/** What an instance was seen doing. `held`: it runs, and its services do not, on request. `unknown`: the server did not answer. */
export type InstanceCondition =
  | 'absent'
  | 'starting'
  | 'waiting'
  | 'running'
  | 'held'
  | 'stopping'
  | 'stopped'
  | 'failed'
  | 'unknown';

/**
 * How an instance that no longer runs came to its end. `restart`: its server was started anew. `off`: it was switched off in
 * good order. `died`: anything else. `at` is milliseconds since 1970, null when nobody knows.
 */
export type InstanceEnd = { readonly cause: 'restart' | 'off' | 'died'; readonly at: number | null };

/** An object found at the provider. */
export type Observed = {
  readonly kind: Exclude<ObjectKind, 'instance'>;
  readonly key: string;
  readonly generation: number;
  /** Digest of the canonical JSON of the desired state it was last brought to; null when that was not finished. */
  readonly fingerprint: Digest | null;
  /** False when it exists and does not do its work (an endpoint that nobody serves). */
  readonly works: boolean;
};

/** An instance found at the provider, and what its supervisor says. */
export type ObservedInstance = Omit<Observed, 'kind' | 'works'> & {
  readonly kind: 'instance';
  readonly condition: InstanceCondition;
  /** Null while nothing can be said: no probe ran yet, or the supervisor is silent. */
  readonly healthy: boolean | null;
  /** For people: `waits for db`, `service php is restarted for the 3rd time` … Escaped already; at most 200 characters. */
  readonly message: string;
  /** Of one that ran and does not run any more. */
  readonly ended?: InstanceEnd;
};

/** Everything of one deployment that exists at a provider, by kind and key. */
export type Observation = {
  readonly objects: readonly (Observed | ObservedInstance)[];
};
