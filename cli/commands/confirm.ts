import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';

/** Adds `confirm`: the old copy of a deployment that was moved goes. */
export function addConfirm(program: Command, run: RunVerb): void {
  program
    .command('confirm')
    .summary('remove the old copy of a deployment that was moved')
    .description(
      'Removes what a move has left where the deployment was: machines, network and the old copy of the data. After ' +
        'that the move cannot be undone any more.',
    )
    .argument('<name>', 'a deployment')
    .addHelpText('after', example('confirm guestbook'))
    .action((name: string) =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const reporter = await startReporter(host, `confirm ${name}`);
        const status = await engine
          .confirmMove(name, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}
