import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { collectExposure, type Exposures, example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';
import { requireName } from './deploy-options.ts';

type CopyOptions = { readonly as?: string; readonly pool?: string; readonly expose?: Exposures };

/** Adds `copy`: a second deployment with the data of a first. */
export function addCopy(program: Command, run: RunVerb): void {
  program
    .command('copy')
    .summary('make a second deployment with the data of a first')
    .description(
      'Makes a second deployment of what another one runs, with its data and secrets, and with identities, addresses and ' +
        'endpoints of its own; both run side by side. The first goes on working, and stands still for a moment while the last ' +
        'changes are copied. Run again, it goes on where it was cut off.',
    )
    .argument('<name>', 'a deployment that runs')
    .option('--as <name>', 'name of the new deployment')
    .option('--pool <pool>', 'where it shall run; that of the first when left out')
    .option(
      '--expose <terminal=address:port>',
      'where an external terminal listens; may be repeated',
      collectExposure,
    )
    .addHelpText('after', example('copy guestbook --as rehearsal'))
    .action((name: string, options: CopyOptions) =>
      run('changes', async (host) => {
        const as = requireName(options, 'copy');
        const engine = await host.engine();
        const reporter = await startReporter(host, `copy ${name} as ${as}`);
        const { pool, expose = {} } = options;
        const status = await engine
          .copy(
            { name, as, expose, ...(pool !== undefined && { pool }) },
            { signal: host.signal, report: reporter.report },
          )
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}
