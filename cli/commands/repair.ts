import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';

/** Adds `repair`: what has drifted becomes again what is recorded. */
export function addRepair(program: Command, run: RunVerb): void {
  program
    .command('repair')
    .summary('heal what is gone, ended, changed or unhealthy')
    .description(
      'Brings a deployment back to what is recorded of it: makes again what is gone, changes back what was changed, ' +
        'and replaces instances that have ended or are not healthy. Data stay. What is well is left alone.',
    )
    .argument('<name>', 'a deployment')
    .addHelpText('after', example('repair guestbook'))
    .action((name: string) =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const reporter = await startReporter(host, `repair ${name}`);
        const status = await engine
          .repair(name, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}
