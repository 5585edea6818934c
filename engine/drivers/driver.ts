import type { Readable, Writable } from 'node:stream';
import type { Digest } from '../digest.ts';
import type { Report } from '../model/event.ts';
import type { GuestFile } from '../model/guest-file.ts';
import type { Observation } from '../model/observation.ts';
import type { Capabilities, Server } from '../model/pool.ts';
import type { Pruned, PruneLimits } from '../model/pruned.ts';
import type { Step } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';
import type { VolumeAccess } from '../model/volume.ts';

export type { GuestFile } from '../model/guest-file.ts';

/** Who an object at a provider belongs to; every object carries it. */
export type DeploymentIdentity = {
  /** Random, for life; 12 lower-case letters and digits, the first a letter. Names of network interfaces are built from it. */
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly blueprint: Digest;
};

/** A deployment as it is found at a provider, by what its objects carry. */
export type FoundDeployment = {
  readonly id: string;
  /** What {@link Driver.leaveNote} left last; undefined when that is gone. */
  readonly note: string | undefined;
  readonly objects: readonly Recorded[];
};

/** What a step needs besides its own data: things that must not be stored with it. */
export type StepContext = {
  readonly deployment: DeploymentIdentity;
  /** Rendered files of the instance, secrets inside; empty for other kinds. Never stored outside owner-only files. */
  readonly files: readonly GuestFile[];
  readonly signal: AbortSignal;
  readonly report: Report;
};

/** A command to run in an instance. */
export type ExecRequest = {
  readonly instance: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly stdin?: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Ends the command when it expires. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
};

/**
 * The code that talks to one provider.
 *
 * All drivers pass `test/contracts/driver.ts`. A driver keeps no list of its own: it finds what exists by the
 * identity that every object carries, so it can be killed between any two system calls and asked again.
 */
export interface Driver {
  readonly name: string;
  /** Tries what the pool can do; cached by the driver where trying is dear. */
  capabilities(signal: AbortSignal): Promise<Capabilities>;
  /** Lists the pool's servers in a stable order. */
  servers(signal: AbortSignal): Promise<readonly Server[]>;
  /** Tells what exists of a deployment. Never waits for a guest longer than two seconds. */
  observe(deployment: DeploymentIdentity, signal: AbortSignal): Promise<Observation>;
  /**
   * Brings one object to its desired state, or removes it. Idempotent, and safe to repeat after a kill at any instant.
   *
   * An `instance` step returns when the VM runs, not when it is healthy. A `volume` removal keeps the data unless
   * the step's `deletesData` is true.
   */
  perform(step: Step, context: StepContext): Promise<void>;
  /**
   * Stops every instance of a deployment in good order, all at once; nothing else changes, and an `instance` step starts
   * it again.
   */
  halt(deployment: DeploymentIdentity, signal: AbortSignal): Promise<void>;
  /**
   * Has an instance bring its data to a state that can be copied and hold them there: its hook, then its file systems.
   *
   * It goes on by itself when the time is over, so whoever dies leaves nothing locked.
   *
   * @param holdMs - at most ten minutes
   * @throws EngineError INSTANCE_MISSING, INSTANCE_SILENT, EXEC_FAILED when its hook failed or it is not able to
   */
  quiesce(
    deployment: DeploymentIdentity,
    instance: string,
    holdMs: number,
    signal: AbortSignal,
  ): Promise<void>;
  /** Lets it go on. @returns whether its data were held until now; false says that a copy made meanwhile is none */
  resume(deployment: DeploymentIdentity, instance: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Leaves a text of the engine's with a deployment's objects, in the place of the last one; null takes it away.
   *
   * It may hold sealed secrets, so it lies where the deployment's own secrets may lie. {@link find} gives it back.
   */
  leaveNote(deployment: DeploymentIdentity, text: string | null): Promise<void>;
  /** Lists every deployment of which anything exists, by id, whether the engine knows of it or not. */
  find(signal: AbortSignal): Promise<readonly FoundDeployment[]>;
  /**
   * Takes a found deployment back under care: from then on steps and observations work on it as if it had never been lost.
   *
   * @returns what is lost for good or in danger, each as a sentence for people
   */
  adopt(deployment: DeploymentIdentity, signal: AbortSignal): Promise<readonly string[]>;
  /** Runs a command in a running instance. @returns the guest's exit code, 0 to 255 */
  exec(deployment: DeploymentIdentity, request: ExecRequest): Promise<number>;
  /**
   * Opens the way to a data volume of an instance that runs, held or not; written only while it is held.
   *
   * @param volume - key, such as `db.1/data`
   * @throws EngineError INSTANCE_MISSING, INSTANCE_SILENT, VOLUME_UNUSABLE
   */
  openVolume(deployment: DeploymentIdentity, volume: string, signal: AbortSignal): Promise<VolumeAccess>;
  /**
   * Streams the log of an instance as raw bytes, oldest first; with `follow` until the signal or the instance ends. Takes the
   * key of an endpoint that leads out, too: its log tells what was refused there.
   */
  logs(
    deployment: DeploymentIdentity,
    instance: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /**
   * Removes what was made to save time, belongs to no deployment and was not used since `limits.unnamedSince`, such as disks
   * of image layers. Never data.
   */
  prune(limits: PruneLimits, signal: AbortSignal): Promise<Pruned>;
  /** Lets go of what this process holds; deployments run on. Nothing is asked of the driver after it. */
  close(): Promise<void>;
}
