import type { Command } from 'commander';
import { formatSize } from '../../engine/units.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatTable } from '../output/table.ts';

/** Adds `build`: images of appliances. */
export function addBuild(program: Command, run: RunVerb): void {
  program
    .command('build')
    .summary('build the images of appliances')
    .description(
      'Builds the images of the named appliances, or of all in the catalog, where they are not stored yet.',
    )
    .argument('[name...]', 'appliances, such as php or php@1.0.0')
    .option('--fresh', 'build anew from the newest packages, also what is stored')
    .addHelpText('after', example('build php postgresql', 'build --fresh'))
    .action((names: readonly string[], options: { fresh?: boolean }) =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const reporter = await startReporter(host, names.length === 0 ? 'build' : `build ${names.join(' ')}`);
        const images = await engine
          .build(names, options.fresh ?? false, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', images });
        else
          host.print(
            formatTable(
              images.map((image) => [
                image.appliance,
                image.digest,
                formatSize(image.bytes),
                image.wasCached ? 'stored already' : 'built',
              ]),
            ),
          );
        return 0;
      }),
    );
}
