import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatAdoption } from '../output/adopt-text.ts';
import { reportWarnings } from '../output/reporter.ts';

/** Adds `adopt`: a lost state is made again of what exists in a pool. */
export function addAdopt(program: Command, run: RunVerb): void {
  program
    .command('adopt')
    .summary('make the records of deployments again that exist in a pool and are not recorded')
    .description(
      'Looks what exists in a pool and records the deployments that are not recorded, after the state was lost for one. ' +
        'Nothing is stopped or started. Deployments that are recorded stay as they are.',
    )
    .argument('<pool>', 'such as local')
    .addHelpText('after', example('adopt local'))
    .action((pool: string) =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const answer = await engine.adopt(pool, { signal: host.signal, report: reportWarnings(host) });
        if (host.isJson) host.printJson(answer);
        else host.print(formatAdoption(answer, host));
        return 0;
      }),
    );
}
