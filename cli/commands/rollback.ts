import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';

type RollbackOptions = { readonly keepData?: true; readonly discardChanges?: string; readonly forget?: true };

/** Adds `rollback`: back to the version before. */
export function addRollback(program: Command, run: RunVerb): void {
  program
    .command('rollback')
    .summary('bring a deployment back to the version that it had before')
    .description(
      'Brings a deployment back to the version before its last upgrade, from what is recorded alone. You must say what becomes ' +
        'of its data: they are kept as they are now, or taken back to what they were. What is left is remembered in its place, so ' +
        'that the same command leads there again, until the next upgrade. To undo an operation that is unfinished: up --rollback.',
    )
    .argument('<name>', 'a deployment')
    .option('--keep-data', 'keep the data as they are now')
    .option(
      '--discard-changes <name>',
      "take the data back, without what was written since; give the deployment's name again",
    )
    .option('--forget', 'let the version before go instead, with the snapshots of its data')
    .addHelpText(
      'after',
      example('rollback guestbook --discard-changes guestbook', 'rollback guestbook --keep-data'),
    )
    .action((name: string, options: RollbackOptions) =>
      run('changes', async (host) => {
        const data = decide(name, options);
        const engine = await host.engine();
        const reporter = await startReporter(host, `rollback ${name}`);
        const call = { signal: host.signal, report: reporter.report };
        const act = options.forget ? engine.forget(name, call) : engine.revert(name, data, call);
        const status = await act.finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}

function decide(name: string, options: RollbackOptions): 'keep' | 'discard' | undefined {
  const { keepData, discardChanges, forget } = options;
  if ([keepData, discardChanges, forget].filter((one) => one !== undefined).length > 1)
    throw new EngineError(
      'DATA_UNDECIDED',
      'only one of --keep-data, --discard-changes and --forget can be meant',
      {
        hint: 'See "sheaf help rollback".',
      },
    );
  if (discardChanges === undefined) return keepData ? 'keep' : undefined;
  if (discardChanges === name) return 'discard';
  throw new EngineError(
    'DATA_UNDECIDED',
    `--discard-changes names ${discardChanges}, but the deployment is ${name}`,
    {
      hint: `Add --keep-data, or --discard-changes ${name} to lose what was written since.`,
    },
  );
}
