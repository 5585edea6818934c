import type { Command } from 'commander';
import { isBundle, openBundle, readSbom } from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { visible } from '../output/visible.ts';

/** Adds `sbom`: what an image is made of. */
export function addSbom(program: Command, run: RunVerb): void {
  program
    .command('sbom')
    .summary('print what the image of an appliance is made of')
    .description(
      'Prints the bill of materials of an appliance that was built, or that a bundle brings, as CycloneDX JSON: ' +
        'packages, versions, digests, licences.',
    )
    .argument('<source>', 'an appliance of the catalog, such as php, or a bundle')
    .argument('[appliance]', 'which one of the bundle, such as php or php@1.0.0')
    .addHelpText('after', example('sbom php', 'sbom guestbook-1.0.0.sheaf php'))
    .action((source: string, appliance: string | undefined) =>
      run('reads', async (host) => {
        const isPacked = await isBundle(source);
        if (!isPacked && appliance !== undefined)
          throw new EngineError(
            'USAGE_WRONG',
            `${source} is no bundle, so ${appliance} cannot be taken out of it`,
            {
              hint: 'Name an appliance alone, or a bundle first.',
            },
          );
        const document: unknown = isPacked
          ? await sbomIn(source, appliance)
          : JSON.parse(await (await host.engine()).sbom(source));
        if (host.isJson) host.printJson(document);
        else host.print(visible(JSON.stringify(document, null, 2)));
        return 0;
      }),
    );
}

async function sbomIn(file: string, appliance: string | undefined): Promise<unknown> {
  const bundle = await openBundle(file);
  try {
    return await readSbom(bundle, appliance);
  } finally {
    await bundle.close();
  }
}
