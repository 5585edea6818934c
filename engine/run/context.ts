import type { Digest } from '../digest.ts';
import type { Driver } from '../drivers/driver.ts';
import type { ListenRefusal } from '../model/allocation.ts';
import type { Report } from '../model/event.ts';
import type { GuestFile } from '../model/guest-file.ts';
import type { Pool } from '../model/pool.ts';
import type { InstanceState } from '../model/step.ts';
import type { Store } from '../model/store.ts';
import type { Listening } from '../plan/allocate.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import type { SecretBox } from '../store/secrets.ts';

/** Makes the files of an instance, secrets inside. */
export type RenderFiles = (
  state: InstanceState,
  inputs: {
    /** The deployment's id. */
    readonly deployment: string;
    readonly generation: number;
    /** Values by name, of all that the state refers to. */
    readonly secrets: ReadonlyMap<string, string>;
    readonly signal: AbortSignal;
  },
) => Promise<readonly GuestFile[]>;

/** Bounds of an operation. */
export type RunLimits = {
  /** Steps at once. */
  readonly parallelSteps: number;
  /** How long instances may take to become healthy, from the last one that made progress. */
  readonly settleTimeoutMs: number;
  /** Pause between two looks at instances that are not healthy yet. */
  readonly settlePauseMs: number;
};

/**
 * What every operation works with: `up`, `planUp`, `down`, `rollBack`, `status` and `list` of this folder.
 *
 * Made anew for each call, with the call's own signal and reporter; nothing of it is kept between operations.
 */
export type RunContext = {
  readonly store: Store;
  readonly driver: Driver;
  readonly pool: Pool;
  readonly secretBox: SecretBox;
  readonly renderFiles: RenderFiles;
  /** Tells whether a blob is stored, such as a layer. */
  readonly isStored: (digest: Digest) => Promise<boolean>;
  readonly report: Report;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Makes ids of 12 lower-case letters and digits, the first a letter. */
  readonly newId: () => string;
  /** This process, as leases name it. */
  readonly holder: ProcessIdentity;
  readonly isAlive: (holder: ProcessIdentity) => boolean;
  /** Finds loopback ports that are free now. */
  readonly freePorts: (count: number) => Promise<readonly number[]>;
  /** Tries whether anything could listen at a place of the machine on which endpoints are opened. */
  readonly listenRefusal: (place: Listening) => Promise<ListenRefusal | undefined>;
  readonly limits: RunLimits;
  /** Id of the move on whose behalf operations are begun. */
  readonly move?: string;
  readonly signal: AbortSignal;
};

/** Bounds for real machines, emulated ones included. */
export const usualLimits: RunLimits = { parallelSteps: 8, settleTimeoutMs: 300_000, settlePauseMs: 500 };
