import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { visible } from '../output/visible.ts';

/** Adds `sbom`: what an image is made of. */
export function addSbom(program: Command, run: RunVerb): void {
  program
    .command('sbom')
    .summary('print what the image of an appliance is made of')
    .description(
      'Prints the bill of materials of an appliance that was built, as CycloneDX JSON: packages, versions, digests, licences.',
    )
    .argument('<name>', 'an appliance of the catalog, such as php')
    .addHelpText('after', example('sbom php'))
    .action((name: string) =>
      run('reads', async (host) => {
        const document: unknown = JSON.parse(await (await host.engine()).sbom(name));
        if (host.isJson) host.printJson(document);
        else host.print(visible(JSON.stringify(document, null, 2)));
        return 0;
      }),
    );
}
