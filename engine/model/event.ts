import type { ErrorCode } from '../errors.ts';
import type { MovePhase } from './move.ts';
import type { InstanceCondition } from './observation.ts';
import type { Change, ObjectKind } from './step.ts';

/** One thing that happened, told to the host while an operation runs. `at` is milliseconds since 1970. */
export type EngineEvent = { readonly at: number } & (
  | {
      readonly type: 'operation';
      readonly operation: string;
      readonly deployment: string;
      readonly verb: string;
      readonly state: 'started' | 'resumed' | 'rolling-back' | 'done' | 'failed' | 'interrupted';
      readonly steps: number;
    }
  | {
      readonly type: 'step';
      readonly deployment: string;
      readonly id: string;
      readonly kind: ObjectKind;
      readonly key: string;
      readonly change: Change;
      readonly state: 'started' | 'done' | 'failed' | 'undone';
    }
  | {
      readonly type: 'instance';
      readonly deployment: string;
      readonly instance: string;
      readonly condition: InstanceCondition;
      readonly healthy: boolean | null;
      readonly message: string;
    }
  | {
      readonly type: 'build';
      readonly subject: string;
      readonly state: 'started' | 'progress' | 'done' | 'cached';
      readonly message: string;
    }
  | {
      readonly type: 'move';
      readonly deployment: string;
      readonly phase: MovePhase;
      /** Pools: where the data come from, and where they go. */
      readonly from: string;
      readonly to: string;
      readonly state: 'started' | 'done';
    }
  | {
      readonly type: 'copy';
      readonly deployment: string;
      readonly volume: string;
      /** From 1; 0 is the last one, while nobody works. */
      readonly pass: number;
      readonly isLast: boolean;
      readonly state: 'started' | 'progress' | 'done';
      /** Carried so far. */
      readonly bytes: number;
    }
  | {
      readonly type: 'warning';
      readonly code: ErrorCode | 'NOTE';
      readonly message: string;
      readonly hint?: string;
    }
);

/** An event before the reporter stamps it with the time. */
export type EventBody = EngineEvent extends infer E
  ? E extends { at: number }
    ? Omit<E, 'at'>
    : never
  : never;

/** Takes events as they happen; never throws, never blocks. */
export type Report = (event: EventBody) => void;
