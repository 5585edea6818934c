import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatPool } from '../output/pool-text.ts';
import { reportWarnings } from '../output/reporter.ts';
import { formatTable } from '../output/table.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `pool list` and `pool show`: where applications can run. */
export function addPool(program: Command, run: RunVerb): void {
  const pool = program
    .command('pool')
    .summary('list and show pools')
    .description('Lists and shows pools of servers.');
  pool
    .command('list')
    .description('Lists the pools.')
    .addHelpText('after', example('pool list'))
    .action(() =>
      run('reads', async (host) => {
        const pools = await (await host.engine()).pools();
        if (host.isJson) host.printJson({ pools });
        else
          host.print(formatTable(pools.map((entry) => [visibleLine(entry.name), entry.driver, entry.range])));
        return 0;
      }),
    );
  pool
    .command('show')
    .description('Shows what a pool can do, and its servers with what is free on them.')
    .argument('<pool>', 'such as local')
    .addHelpText('after', example('pool show local'))
    .action((name: string) =>
      run('reads', async (host) => {
        const shown = await (await host.engine()).pool(name, {
          signal: host.signal,
          report: reportWarnings(host),
        });
        if (host.isJson) host.printJson(shown);
        else host.print(formatPool(shown, host.style));
        return 0;
      }),
    );
}
