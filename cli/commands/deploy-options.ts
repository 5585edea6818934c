import type { Command } from 'commander';
import type { DeployRequest } from '../../engine/model/request.ts';
import { collectExposure, collectPair, type Exposures } from '../options.ts';

/** What `plan` and `up` both take. */
export type DeployOptions = {
  readonly as: string;
  readonly pool?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly expose?: Exposures;
};

/** Adds the source and the options that say what is deployed, where and how. */
export function takeDeployOptions(command: Command): Command {
  return command
    .argument('<source>', "the application's folder or file")
    .requiredOption('--as <name>', "the deployment's name")
    .option('--pool <pool>', 'where it runs (default: local)')
    .option('--set <name=value>', 'a parameter of the application; may be repeated', collectPair)
    .option(
      '--expose <terminal=address:port>',
      'where an external terminal listens; may be repeated (default: a free port of 127.0.0.1)',
      collectExposure,
    );
}

/** Puts the request together that the options describe. */
export function deployRequest(source: string, options: DeployOptions): DeployRequest {
  return {
    source,
    name: options.as,
    ...(options.pool !== undefined && { pool: options.pool }),
    set: options.set ?? {},
    expose: options.expose ?? {},
  };
}
