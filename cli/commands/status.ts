import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { formatStatus, formatSummaries } from '../output/status-text.ts';

/** Adds `status`: what was observed just now. */
export function addStatus(program: Command, run: RunVerb): void {
  program
    .command('status')
    .summary('show the deployments, or one of them whole')
    .description(
      'Shows all deployments, or all of one: endpoints, instances, wires and volumes, as observed now.',
    )
    .argument('[name]', 'a deployment')
    .addHelpText('after', example('status', 'status guestbook'))
    .action((name: string | undefined) =>
      run('reads', async (host) => {
        const engine = await host.engine();
        const options = { signal: host.signal, report: reportWarnings(host) };
        if (name === undefined) {
          const deployments = await engine.list(options);
          if (host.isJson) host.printJson({ deployments });
          else host.print(formatSummaries(deployments, host));
        } else {
          const status = await engine.status(name, options);
          if (host.isJson) host.printJson(status);
          else host.print(formatStatus(status, host));
        }
        return 0;
      }),
    );
}
