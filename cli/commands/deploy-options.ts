import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { DeployRequest } from '../../engine/model/request.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { Host } from '../host.ts';
import { collectExposure, collectFile, collectPair, type Exposures, takeCatalogOptions } from '../options.ts';
import { readValues, type ValueFiles } from '../read-values.ts';

/** What `plan` and `up` both take. */
export type DeployOptions = {
  /** Absent only where the command line may leave the source out. */
  readonly as?: string;
  readonly pool?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly setFile?: ValueFiles;
  readonly expose?: Exposures;
} & CatalogOptions;

/** Adds the source and the options that say what is deployed, where and how. @param source - as commander writes it */
export function takeDeployOptions(command: Command, source: '<source>' | '[source]'): Command {
  const named = source === '<source>' ? command.requiredOption.bind(command) : command.option.bind(command);
  const sourced = named('--as <name>', "the deployment's name").argument(
    source,
    "the application's folder or file, a bundle, or NAME@RANGE in a catalog",
  );
  return takeValueOptions(sourced).option('--pool <pool>', 'where it runs (default: local)');
}

/** Adds the options that say what a deployment is given, and which catalogs are asked. */
export function takeValueOptions(command: Command): Command {
  return takeCatalogOptions(command)
    .option('--set <name=value>', 'a parameter of the application; may be repeated', collectPair)
    .option(
      '--set-file <name=path>',
      'a parameter by a file, such as a secret; - is standard input; may be repeated',
      collectFile,
    )
    .option(
      '--expose <terminal=address:port>',
      'where an external terminal listens; may be repeated (default: a free port of 127.0.0.1)',
      collectExposure,
    );
}

/** Puts the request together that the options describe. @throws EngineError USAGE_WRONG without a name; as {@link readValues} */
export async function deployRequest(
  source: string,
  options: DeployOptions,
  host: Host,
): Promise<DeployRequest> {
  return {
    source,
    name: requireName(options),
    ...(options.pool !== undefined && { pool: options.pool }),
    set: await readValues(options.setFile ?? {}, options.set ?? {}, host),
    expose: options.expose ?? {},
  };
}

/** Gives the name of the deployment. @throws EngineError USAGE_WRONG without one */
export function requireName(options: Pick<DeployOptions, 'as'>, verb = 'up'): string {
  if (options.as !== undefined) return options.as;
  throw new EngineError('USAGE_WRONG', "required option '--as <name>' not specified", {
    hint: `See "sheaf help ${verb}".`,
  });
}
