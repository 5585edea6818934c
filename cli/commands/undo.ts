import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';

/** Adds `undo`: a deployment that was moved goes back, with what was written since or without it. */
export function addUndo(program: Command, run: RunVerb): void {
  program
    .command('undo')
    .summary('take a deployment that was moved back to where it was')
    .description(
      'Takes a deployment that was moved back: copies what was written since to the old copy, as a move does, and lets ' +
        'that work again. With --discard-changes what was written since is given up, which also works when the pool to ' +
        'which it went cannot be reached any more. Run again, it goes on with an undo that was cut off.',
    )
    .argument('<name>', 'a deployment')
    .option(
      '--discard-changes <name>',
      "give up what was written since the move; give the deployment's name again",
    )
    .addHelpText('after', example('undo guestbook', 'undo guestbook --discard-changes guestbook'))
    .action((name: string, options: { readonly discardChanges?: string }) =>
      run('changes', async (host) => {
        const { discardChanges } = options;
        if (discardChanges !== undefined && discardChanges !== name)
          throw new EngineError(
            'DATA_UNDECIDED',
            `--discard-changes names ${discardChanges}, but the deployment is ${name}`,
            { hint: `Write --discard-changes ${name} to give up what was written since the move.` },
          );
        const engine = await host.engine();
        const reporter = await startReporter(host, `undo ${name}`);
        const status = await engine
          .undoMove(name, discardChanges !== undefined, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}
