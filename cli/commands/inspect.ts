import type { Command } from 'commander';
import { inspect, openBundle } from '../../catalog/index.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatInspection } from '../output/bundle-text.ts';

/** Adds `inspect`: what a bundle holds and needs. */
export function addInspect(program: Command, run: RunVerb): void {
  program
    .command('inspect')
    .summary('show what a bundle holds, and what a server needs to run it')
    .description(
      'Shows what a bundle holds, and what a server needs to run it with the network off. It believes the bundle: see verify.',
    )
    .argument('<bundle>', 'a file that pack wrote')
    .addHelpText('after', example('inspect guestbook-1.0.0.sheaf'))
    .action((file: string) =>
      run('reads', async (host) => {
        const { prerequisites } = await host.bundles();
        const bundle = await openBundle(file);
        const inspection = inspect(bundle, await prerequisites(bundle.contents.list));
        await bundle.close();
        if (host.isJson) host.printJson(inspection);
        else host.print(formatInspection(inspection, host.style));
        return 0;
      }),
    );
}
