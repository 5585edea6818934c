import type { Readable, Writable } from 'node:stream';
import { EngineError } from './errors.ts';
import type { Report } from './model/event.ts';
import type { Capabilities, Pool, Server } from './model/pool.ts';
import type { DataDecision, DeployRequest, GraphFormat } from './model/request.ts';
import type { DeploymentStatus, DeploymentSummary, LoggedEvent, PlanReport } from './model/status.ts';
import type { Problem } from './problems.ts';

/** What a long call takes besides its subject. */
export type CallOptions = { readonly signal: AbortSignal; readonly report: Report };

/** Sheaf, as a library: every verb of the command line is one method. */
export class Engine {
  /** Finds every problem of an appliance, assembly or application. Reads files and changes nothing. */
  async check(path: string): Promise<readonly Problem[]> {
    throw unfinished(path);
  }

  /** Draws the graph of an application or assembly. @throws EngineError INPUT_INVALID with `details.problems` */
  async graph(path: string, format: GraphFormat): Promise<string> {
    throw unfinished(path + format);
  }

  /** Chooses versions and writes `sheaf.lock` beside the description; with `update`, lets those names move to the newest allowed. */
  async lock(
    path: string,
    update: readonly string[],
  ): Promise<{ readonly file: string; readonly changed: readonly string[] }> {
    throw unfinished(path + update.length);
  }

  /** Builds the images of the named appliances, or of all that the catalog folders hold, where they are not stored yet. */
  async build(
    names: readonly string[],
    options: CallOptions,
  ): Promise<
    readonly {
      readonly appliance: string;
      readonly digest: string;
      readonly bytes: number;
      readonly wasCached: boolean;
    }[]
  > {
    throw unfinished(names.join() + options.signal.aborted);
  }

  /** Tells what `up` would do, and why. Changes nothing. */
  async plan(request: DeployRequest, options: CallOptions): Promise<PlanReport> {
    throw unfinished(request.name + options.signal.aborted);
  }

  /** Brings a deployment up, or resumes what was interrupted; returns when every instance is healthy. With `rollback`, undoes an unfinished operation instead. */
  async up(
    request: DeployRequest,
    options: CallOptions & { readonly rollback: boolean },
  ): Promise<DeploymentStatus> {
    throw unfinished(request.name + options.signal.aborted);
  }

  /** Stops a deployment and removes it. @throws EngineError DEPLOYMENT_MISSING */
  async down(
    name: string,
    data: DataDecision,
    options: CallOptions,
  ): Promise<{ readonly name: string; readonly removed: number; readonly keptVolumes: readonly string[] }> {
    throw unfinished(name + data + options.signal.aborted);
  }

  /** Lists deployments, observed now. */
  async list(options: CallOptions): Promise<readonly DeploymentSummary[]> {
    throw unfinished(String(options.signal.aborted));
  }

  /** Observes one deployment. */
  async status(name: string, options: CallOptions): Promise<DeploymentStatus> {
    throw unfinished(name + options.signal.aborted);
  }

  /** Streams logs as raw bytes, one instance's or all of them in turn (lines then carry the instance's name). */
  logs(
    name: string,
    options: { readonly instance?: string; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<{ readonly instance: string; readonly bytes: Uint8Array }> {
    throw unfinished(name + options.follow);
  }

  /** Runs a command in an instance. @returns the guest's exit code */
  async exec(
    name: string,
    request: {
      readonly instance: string;
      readonly command: readonly string[];
      readonly user?: string;
      readonly stdin?: Readable;
      readonly stdout: Writable;
      readonly stderr: Writable;
      readonly signal: AbortSignal;
    },
  ): Promise<number> {
    throw unfinished(name + request.instance);
  }

  /** Gives the journal's events, oldest first, of one deployment or all. */
  async events(name?: string): Promise<readonly LoggedEvent[]> {
    throw unfinished(name ?? '');
  }

  /** Lists the pools. */
  async pools(): Promise<readonly Pool[]> {
    throw unfinished('');
  }

  /** Shows one pool: its servers and what its driver can do, tried now where that is not known yet. */
  async pool(
    name: string,
    options: CallOptions,
  ): Promise<{
    readonly pool: Pool;
    readonly capabilities: Capabilities;
    readonly servers: readonly Server[];
  }> {
    throw unfinished(name + options.signal.aborted);
  }

  /** Lets go of the state database. */
  close(): void {}
}

function unfinished(what: string): EngineError {
  return new EngineError('INTERNAL_ERROR', `not wired yet: ${what}`);
}
