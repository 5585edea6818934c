import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { DataDecision } from '../../engine/model/request.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatDeparture } from '../output/status-text.ts';

/** Adds `down`: a deployment goes, and its data as the user decided. */
export function addDown(program: Command, run: RunVerb): void {
  program
    .command('down')
    .summary('stop and remove a deployment; its data are kept or deleted as you say')
    .description('Stops and removes a deployment. You must say what becomes of its data.')
    .argument('<name>', 'a deployment')
    .option('--keep-data', 'keep its data volumes; the next up under this name takes them over')
    .option('--delete-data <name>', "delete its data for ever; give the deployment's name again")
    .addHelpText('after', example('down guestbook --keep-data', 'down guestbook --delete-data guestbook'))
    .action((name: string, options: { keepData?: true; deleteData?: string }) =>
      run('changes', async (host) => {
        const decision = decide(name, options);
        const engine = await host.engine();
        const reporter = await startReporter(host, `down ${name}`);
        const result = await engine
          .down(name, decision, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...result });
        else host.print(formatDeparture(result, host));
        return 0;
      }),
    );
}

function decide(name: string, options: { keepData?: true; deleteData?: string }): DataDecision {
  const { keepData, deleteData } = options;
  if (keepData && deleteData === undefined) return 'keep';
  if (!keepData && deleteData === name) return 'delete';
  const message =
    keepData && deleteData !== undefined
      ? 'the data cannot be both kept and deleted'
      : deleteData !== undefined
        ? `--delete-data names ${deleteData}, but the deployment is ${name}`
        : `it was not said what becomes of the data of ${name}`;
  throw new EngineError('DATA_UNDECIDED', message, {
    hint: `Add --keep-data, or --delete-data ${name} to delete them for ever.`,
  });
}
