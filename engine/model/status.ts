import type { Transport } from './blueprint.ts';
import type { MovePhase } from './move.ts';
import type { InstanceCondition, InstanceEnd } from './observation.ts';
import type { Change, ObjectKind, Plan } from './step.ts';

/**
 * What can be said of a whole deployment. `kept`: stopped, its data volumes remain. `unfinished`: an operation waits to be
 * resumed. `held`: its services are stopped for a move. `unknown`: its pool could not be asked.
 */
export type DeploymentState =
  | 'running'
  | 'starting'
  | 'degraded'
  | 'stopped'
  | 'kept'
  | 'held'
  | 'unfinished'
  | 'unknown';

/** A deployment's move from one pool to another, as far as it came. */
export type MoveStatus = {
  readonly phase: MovePhase;
  /** Pools. */
  readonly from: string;
  readonly to: string;
  readonly isUndo: boolean;
  readonly since: number;
  /** Of one that waits: by when somebody should confirm or undo it. */
  readonly confirmBy?: number;
  /** Why it returned. */
  readonly error?: string;
};

/** One line of `sheaf status`. */
export type DeploymentSummary = {
  readonly name: string;
  readonly application: string;
  readonly version: string;
  readonly owner: string;
  readonly pool: string;
  readonly state: DeploymentState;
  /** Why it is not running, as far as that was seen; for people. */
  readonly reason?: string;
  /** The operation that waits to be resumed. */
  readonly operation?: {
    readonly id: string;
    readonly verb: string;
    readonly done: number;
    readonly steps: number;
  };
  /** Absent of one that is not on its way, and waits for no decision about that. */
  readonly move?: MoveStatus;
};

/**
 * Something of a deployment that is not as it was left. `gone`; `ended`: an instance that does not run; `changed` behind our
 * back; `broken`: there, and does not work; `unhealthy`: an instance whose probe fails.
 */
export type Drift = {
  readonly kind: ObjectKind;
  readonly key: string;
  readonly what: 'gone' | 'ended' | 'changed' | 'broken' | 'unhealthy';
};

/** Everything that was observed of a deployment. */
export type DeploymentStatus = DeploymentSummary & {
  /** The version to which `rollback` leads. `at`: when it was left, in milliseconds since 1970; `hasData`: whether its data of then are kept. */
  readonly previous?: { readonly version: string; readonly at: number; readonly hasData: boolean };
  /** Empty while an operation is under way or unfinished, and of one that was stopped on request. */
  readonly drift: readonly Drift[];
  readonly endpoints: readonly {
    readonly name: string;
    readonly url: string;
    readonly address: string;
    readonly port: number;
    readonly works: boolean;
  }[];
  readonly instances: readonly {
    readonly name: string;
    /** Path of the appliance, such as `web`. */
    readonly appliance: string;
    readonly uses: string;
    readonly server: string;
    readonly address: string;
    readonly state: InstanceCondition;
    readonly healthy: boolean | null;
    readonly message: string;
    /** Of one that no longer runs. */
    readonly ended?: InstanceEnd;
  }[];
  readonly wires: readonly {
    readonly from: string;
    readonly to: string;
    readonly port: number;
    readonly transport: Transport;
  }[];
  readonly volumes: readonly {
    readonly name: string;
    readonly sizeBytes: number;
    readonly exists: boolean;
  }[];
};

/** Where an instance goes, or why it can go nowhere. */
export type PlacementEntry =
  | {
      readonly instance: string;
      readonly server: string;
      readonly score: number;
      readonly rejected: readonly ServerRejection[];
    }
  | { readonly instance: string; readonly server: null; readonly rejected: readonly ServerRejection[] };

/** Why a server was not taken. */
export type ServerRejection = { readonly server: string; readonly reason: string };

/** What `plan` answers: what would happen, and why. */
export type PlanReport = {
  readonly name: string;
  readonly plan: Plan;
  readonly summary: Readonly<Record<Change, number>>;
  readonly placement: readonly PlacementEntry[];
  /** Images, contents and the kit that would be built first. */
  readonly builds: readonly string[];
  /** Instances that would stop for a while. */
  readonly restarts: readonly string[];
};

/** One line of `sheaf events`. */
export type LoggedEvent = {
  readonly at: number;
  readonly deployment: string;
  readonly operation: string;
  readonly kind: ObjectKind | 'operation';
  readonly key: string;
  readonly what: string;
};
