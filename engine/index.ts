// The public face: what a host needs to put an engine together, to call it, and to understand its answers.
export type { Driver } from './drivers/driver.ts';
export { Engine } from './engine.ts';
export type {
  BuildAnswer,
  CallOptions,
  DriverParts,
  EngineOptions,
  ExecOptions,
  LockAnswer,
  LockRequest,
  PackAnswer,
} from './engine-options.ts';
export { EngineError, type ErrorCode, errorTable } from './errors.ts';
export type { Opening, Sealing } from './formats/age.ts';
export type { EngineEvent, EventBody, Report } from './model/event.ts';
export type { OpenPacked, PackedSource } from './model/packed-source.ts';
export type { Capabilities, Pool, Server } from './model/pool.ts';
export type { DataDecision, DeployRequest, GraphFormat } from './model/request.ts';
export type { DeploymentStatus, DeploymentSummary, LoggedEvent, PlanReport } from './model/status.ts';
export type { Problem } from './problems.ts';
export type { AdoptAnswer } from './run/adopt.ts';
export type { DownAnswer } from './run/down.ts';
export type { PruneAnswer, PruneRequest } from './run/prune.ts';
export type { LogChunk } from './run/read-logs.ts';
export type { BackupAnswer } from './store/backup.ts';
export type { RestoreAnswer } from './store/restore.ts';
