import type { SQLInputValue } from 'node:sqlite';
import { canonicalJson } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { DataDecision } from '../model/request.ts';
import type { LoggedEvent } from '../model/status.ts';
import type { Plan } from '../model/step.ts';
import type {
  DeploymentRecord,
  DeploymentSpec,
  OperationError,
  OperationRecord,
  OperationState,
  Recorded,
  SealedSecret,
  StepRecord,
  StepState,
  Verb,
} from '../model/store.ts';
import type { Row } from './database.ts';

/** Writes a value for a JSON column; null stays null. */
export function jsonColumn(value: object | null): SQLInputValue {
  return value === null ? null : canonicalJson(value);
}

/** Reads a row of `deployments`. */
export function deploymentOf(row: Row): DeploymentRecord {
  return {
    id: text(row, 'id'),
    name: text(row, 'name'),
    owner: text(row, 'owner'),
    pool: text(row, 'pool'),
    generation: integer(row, 'generation'),
    createdAt: integer(row, 'created_at'),
    spec: json<DeploymentSpec>(row, 'spec'),
  };
}

/** Reads a row of `operations`. */
export function operationOf(row: Row): OperationRecord {
  return {
    id: text(row, 'id'),
    deployment: text(row, 'deployment'),
    verb: text(row, 'verb') as Verb,
    data: optional(row, 'data', text) as DataDecision | null,
    state: text(row, 'state') as OperationState,
    generation: integer(row, 'generation'),
    resumes: optional(row, 'resumes', text),
    previous: optional(row, 'previous', json<DeploymentSpec>),
    plan: optional(row, 'plan', json<Plan>),
    startedAt: integer(row, 'started_at'),
    endedAt: optional(row, 'ended_at', integer),
    error: optional(row, 'error', json<OperationError>),
  };
}

/** Reads a row of `steps`. */
export function stepOf(row: Row): StepRecord {
  return {
    id: text(row, 'id'),
    state: text(row, 'state') as StepState,
    order: optional(row, 'started_order', integer),
  };
}

/** Reads a row of `inventory`. */
export function recordedOf(row: Row): Recorded {
  // kind and state were written together from one value of this union
  return {
    kind: text(row, 'kind'),
    key: text(row, 'key'),
    state: json(row, 'state'),
    generation: integer(row, 'generation'),
    isSettled: integer(row, 'is_settled') === 1,
  } as Recorded;
}

/** Reads a row of `secrets`. */
export function secretOf(row: Row): SealedSecret {
  return { name: text(row, 'name'), version: integer(row, 'version'), sealed: text(row, 'sealed') };
}

/** Reads a row of `events`. */
export function eventOf(row: Row): LoggedEvent {
  return {
    at: integer(row, 'at'),
    deployment: text(row, 'deployment'),
    operation: text(row, 'operation'),
    kind: text(row, 'kind') as LoggedEvent['kind'],
    key: text(row, 'key'),
    what: text(row, 'what'),
  };
}

/** Reads a text column. @throws EngineError STATE_CORRUPT */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw contradiction(column);
  return value;
}

/** Reads a whole number. @throws EngineError STATE_CORRUPT */
export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw contradiction(column);
  return value;
}

/** Reads a column that may be null. */
export function optional<T>(row: Row, column: string, read: (row: Row, column: string) => T): T | null {
  return row[column] === null ? null : read(row, column);
}

/** Reads a column of JSON. @throws EngineError STATE_CORRUPT */
export function json<T>(row: Row, column: string): T {
  try {
    return JSON.parse(text(row, column)) as T;
  } catch (cause) {
    throw contradiction(column, cause);
  }
}

function contradiction(column: string, cause?: unknown): EngineError {
  return new EngineError('STATE_CORRUPT', `the recorded state holds no valid ${column}`, {
    hint: 'Restore the state from a backup.',
    cause,
  });
}
