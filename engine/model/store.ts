import type { Digest } from '../digest.ts';
import type { ErrorCode } from '../errors.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import type { Allocation, ListenAddress } from './allocation.ts';
import type { Refs } from './blob.ts';
import type { Blueprint } from './blueprint.ts';
import type { BeginMoveRequest, BegunMove, MoveChange, MoveLease, MoveRecord } from './move.ts';
import type { DataDecision } from './request.ts';
import type { LoggedEvent } from './status.ts';
import type { Desired, ObjectKind, ObjectStates, Plan } from './step.ts';

/** By appliance path: how many replicas there shall be, as long as the description says the number that it said then. */
export type ScaledReplicas = Readonly<
  Record<string, { readonly described: number; readonly replicas: number }>
>;

/** Data that a new deployment gets: of a backup, by its id, or of another deployment. */
export type Filling = { readonly from: 'backup' | 'copy'; readonly id: string };

/** What somebody decided about a deployment; secrets are in it by reference only. */
export type DeploymentSpec = {
  readonly blueprint: Blueprint;
  readonly digest: Digest;
  readonly inputs: {
    /** Parameters that are no secrets, as text. */
    readonly set: Readonly<Record<string, string>>;
    readonly expose: Readonly<Record<string, ListenAddress>>;
    /** Numbers of replicas that were asked for, other than described, by appliance path; the blueprint has them already. */
    readonly scale?: ScaledReplicas;
  };
  readonly allocation: Allocation;
  /** Server by instance. */
  readonly placement: Readonly<Record<string, string>>;
  /** What one instance costs beyond its appliance's resources, at the pool's driver when it was placed. */
  readonly overhead: {
    readonly cpuMillicores: number;
    readonly memoryBytes: number;
    readonly diskBytes: number;
  };
  /**
   * `kept`: stopped on request, its data volumes remain. `held`: its machines run and its services do not, because
   * another copy of it works, or is to.
   */
  readonly lifecycle: 'active' | 'kept' | 'held';
  /** Whose data its volumes are being filled with, until it runs with them. Nobody else starts it before they are whole. */
  readonly filling?: Filling;
  /** Counts the copies that had the valid data, from 1; of two copies the higher one is the newer. 1 when absent. */
  readonly dataGeneration?: number;
  /** The version before this one, to which it can be brought back; absent where there was none, or it was let go. */
  readonly before?: PreviousVersion;
};

/** A version that a deployment had, and all that bringing it back takes. */
export type PreviousVersion = {
  /** The decision of then, itself without one before. */
  readonly spec: DeploymentSpec;
  /** What there was, as it was recorded; no snapshots. */
  readonly objects: readonly Desired[];
  /** Of its data, taken when it was left; none where the pool takes none. */
  readonly snapshots: readonly Extract<Desired, { readonly kind: 'snapshot' }>[];
  /** When it was left, in milliseconds since 1970. */
  readonly at: number;
};

/** A deployment as it is recorded. */
export type DeploymentRecord = {
  /** Random, for life; 12 lower-case letters and digits, the first a letter. */
  readonly id: string;
  /** Unique for its owner; with a suffix that no user can type it is the other copy of one that is moved. */
  readonly name: string;
  readonly owner: string;
  readonly pool: string;
  /** Counts the operations; objects at the provider carry the one that last touched them. */
  readonly generation: number;
  readonly createdAt: number;
  readonly spec: DeploymentSpec;
};

/** An object that exists at the provider as far as we know. `isSettled` is false from the intention to the result of a step. */
export type Recorded = {
  readonly [K in ObjectKind]: {
    readonly kind: K;
    readonly key: string;
    readonly state: ObjectStates[K];
    readonly generation: number;
    readonly isSettled: boolean;
  };
}[ObjectKind];

/** The right to change one deployment. Every later holder has a higher epoch. */
export type Lease = { readonly deployment: string; readonly epoch: number };

/** What an operation is for. */
export type Verb =
  | 'up'
  | 'scale'
  | 'repair'
  | 'upgrade'
  /** Back to the version before. */
  | 'revert'
  /** The version before is let go. */
  | 'forget'
  | 'down'
  /** The undoing of an unfinished operation. */
  | 'rollback'
  | 'hold'
  | 'release';

/**
 * How far an operation came. `running` with a dead holder was killed; such, `failed` and `interrupted` are
 * unfinished. `superseded`: a later operation took its work over, and its undoing.
 */
export type OperationState = 'running' | 'failed' | 'interrupted' | 'superseded' | 'done';

/** Why an operation stopped; no secrets. */
export type OperationError = { readonly code: ErrorCode; readonly message: string; readonly hint?: string };

/** One line of the journal's first table. */
export type OperationRecord = {
  readonly id: string;
  readonly deployment: string;
  readonly verb: Verb;
  /** Of a `down`: what it does with the data. */
  readonly data: DataDecision | null;
  readonly state: OperationState;
  readonly generation: number;
  /** The unfinished operation that this one took over. */
  readonly resumes: string | null;
  /** The decision that stood before; null when the deployment did not exist. */
  readonly previous: DeploymentSpec | null;
  /** Null until it is planned. */
  readonly plan: Plan | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly error: OperationError | null;
};

/** How far a step came. From `started` on it may have had effects. */
export type StepState = 'pending' | 'started' | 'done' | 'failed';

/** One line of the journal's second table; the step itself stands in the plan. */
export type StepRecord = {
  readonly id: string;
  readonly state: StepState;
  /** Place in the order of starting, from 1; null while pending. */
  readonly order: number | null;
};

/** An operation and how far its steps came, in the plan's order. */
export type JournaledOperation = {
  readonly operation: OperationRecord;
  readonly steps: readonly StepRecord[];
};

/** A secret as it is stored: sealed with a key that the store does not have. */
export type SealedSecret = {
  readonly name: string;
  /** From 1; a new value gets the next one, and the old one is kept until the operation that brought it is done. */
  readonly version: number;
  readonly sealed: string;
};

/** What {@link Store.begin} shows to the one who decides; nobody else can change it meanwhile. */
export type DecisionBasis = {
  readonly current: DeploymentRecord | undefined;
  /** The unfinished operation of the deployment and those that it took over, newest first. */
  readonly unfinished: readonly JournaledOperation[];
  readonly inventory: readonly Recorded[];
  readonly secrets: readonly SealedSecret[];
  /** All other deployments, of every owner and pool. */
  readonly others: readonly DeploymentRecord[];
};

/** What was decided, to be recorded in the same transaction. */
export type Decision = {
  readonly id: string;
  readonly pool: string;
  readonly spec: DeploymentSpec;
  /** New ones. */
  readonly secrets: readonly SealedSecret[];
  /** Ids of unfinished operations that were never planned and are given up: the secrets that they brought go. */
  readonly givesUp?: readonly string[];
};

/** Asks for the lease of a deployment and for an operation on it. */
export type BeginRequest = {
  readonly owner: string;
  readonly name: string;
  readonly verb: Verb;
  readonly data?: DataDecision;
  /** Id of the move of which it is a part. */
  readonly move?: string;
  readonly operation: string;
  readonly holder: ProcessIdentity;
  readonly isAlive: (holder: ProcessIdentity) => boolean;
  readonly at: number;
  /** Pure. What it throws undoes everything. */
  readonly decide: (basis: DecisionBasis) => Decision;
};

/** A begun operation. */
export type Begun = {
  readonly deployment: DeploymentRecord;
  readonly lease: Lease;
  readonly operation: OperationRecord;
  /** What was taken over, newest first. */
  readonly resumed: readonly JournaledOperation[];
};

/** How far a step came, and what that means for the inventory. */
export type StepWrite = {
  readonly operation: string;
  readonly step: string;
  readonly state: Exclude<StepState, 'pending'>;
  readonly at: number;
  /** Facts of the result for later comparison, such as the keyed digest of rendered files. */
  readonly result?: Readonly<Record<string, string>>;
  readonly inventory:
    | { readonly set: Recorded }
    | { readonly remove: { readonly kind: ObjectKind; readonly key: string } }
    | null;
  readonly event: Pick<LoggedEvent, 'kind' | 'key' | 'what'>;
};

/** How an operation ends. */
export type Outcome =
  | { readonly state: 'failed' | 'interrupted'; readonly error: OperationError }
  /** Done; `spec` null takes the deployment with its journal, inventory and secrets out of the records. */
  | { readonly state: 'done'; readonly spec: DeploymentSpec | null }
  /** Nothing was started: as if it had never begun. */
  | { readonly state: 'abandoned' };

/** A deployment that exists and was not recorded. */
export type Adoption = {
  readonly deployment: DeploymentRecord;
  readonly secrets: readonly SealedSecret[];
  readonly inventory: readonly Recorded[];
  /** Id under which the event is written. */
  readonly operation: string;
  readonly at: number;
};

/** Who holds the lease of a deployment. */
export type LeaseHolder = { readonly epoch: number; readonly holder: ProcessIdentity | null };

/**
 * What must survive: decisions, inventory, journal, leases, events, sealed secrets.
 *
 * Every method is one transaction that is on disk when the promise resolves. Methods that take a lease check its
 * epoch inside and throw LEASE_LOST.
 *
 * @throws EngineError DISK_FULL, STATE_CORRUPT from every method
 */
export interface Store {
  /** Names of digests in this machine's blob store. */
  readonly refs: Refs;
  /** All of them, by owner and name. */
  deployments(): Promise<readonly DeploymentRecord[]>;
  deployment(owner: string, name: string): Promise<DeploymentRecord | undefined>;
  inventory(deployment: string): Promise<readonly Recorded[]>;
  /** The unfinished operation and those that it took over, newest first; empty when all is done. */
  unfinished(deployment: string): Promise<readonly JournaledOperation[]>;
  secrets(deployment: string): Promise<readonly SealedSecret[]>;
  /** Counts a deployment's repairs that began since a time, and since it was last brought to anything else. */
  repairsSince(deployment: string, at: number): Promise<number>;
  leaseHolder(deployment: string): Promise<LeaseHolder | undefined>;
  /** Oldest first; of one deployment's name or all. */
  events(name?: string): Promise<readonly LoggedEvent[]>;
  /**
   * Takes the lease, lets `decide` decide, and records the decision and a new operation.
   *
   * @throws EngineError DEPLOYMENT_BUSY when a living process holds the lease; MOVE_UNFINISHED; whatever `decide` throws
   */
  begin(request: BeginRequest): Promise<Begun>;
  /** Records what a begun operation is going to do; once per operation. */
  writePlan(lease: Lease, operation: string, plan: Plan): Promise<void>;
  writeStep(lease: Lease, write: StepWrite): Promise<void>;
  /** Notes things that were seen, such as an instance becoming healthy. */
  writeEvents(lease: Lease, events: readonly Omit<LoggedEvent, 'deployment'>[]): Promise<void>;
  /** Ends an operation and gives the lease back. */
  end(lease: Lease, operation: string, outcome: Outcome, at: number): Promise<void>;
  /** Records a deployment that was found. @throws EngineError DEPLOYMENT_EXISTS when its name belongs to another one */
  adopt(adoption: Adoption): Promise<void>;
  /** All that are not over, by owner and name. */
  moves(): Promise<readonly MoveRecord[]>;
  move(owner: string, name: string): Promise<MoveRecord | undefined>;
  /** Begins a move or takes one over. @throws EngineError DEPLOYMENT_BUSY; whatever `decide` throws */
  beginMove(request: BeginMoveRequest): Promise<BegunMove>;
  /** @param what - for the events */
  writeMove(lease: MoveLease, change: MoveChange, at: number, what: string): Promise<MoveRecord>;
  /** The commit point of a move: the copy that takes over gets the name. */
  commitMove(lease: MoveLease, at: number): Promise<MoveRecord>;
  /** Gives a move back; its record goes when it is over. */
  endMove(lease: MoveLease, isOver: boolean): Promise<void>;
  close(): void;
}
