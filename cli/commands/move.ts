import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatMoved } from '../output/move-text.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';

/** Adds `move`: a deployment with its data goes to another pool. */
export function addMove(program: Command, run: RunVerb): void {
  program
    .command('move')
    .summary('move a deployment with its data to another pool')
    .description(
      'Moves a deployment to another pool: asks first whether it can be there, copies the data while it goes on working, ' +
        'then stops it, copies what changed since, compares both sides and starts it there, at the same endpoints. What ' +
        'fails before that leads back by itself. The old copy is kept, stopped, until confirm or undo. Run again, it goes ' +
        'on with a move that was cut off.',
    )
    .argument('<name>', 'a deployment')
    .option('--to <pool>', 'the pool to which it goes')
    .option('--rollback', 'return from a move that was cut off, instead of going on')
    .addHelpText('after', example('move guestbook --to docker', 'move guestbook --rollback'))
    .action((name: string, options: { readonly to?: string; readonly rollback?: true }) =>
      run('changes', async (host) => {
        const { to, rollback } = options;
        if ((to === undefined) === (rollback === undefined))
          throw new EngineError('USAGE_WRONG', 'a move takes either --to POOL or --rollback', {
            hint: 'See "sheaf help move".',
          });
        const engine = await host.engine();
        const reporter = await startReporter(host, `move ${name}`);
        const call = { signal: host.signal, report: reporter.report };
        const act = to === undefined ? engine.rollBackMove(name, call) : engine.move(name, to, call);
        const status = await act.finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else if (to === undefined) host.print(formatArrival(status, host));
        else host.print(formatMoved(status, host));
        return 0;
      }),
    );
}
