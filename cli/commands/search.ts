import type { Command } from 'commander';
import { type SearchHit, search } from '../../catalog/index.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { RunVerb } from '../host.ts';
import { example, takeCatalogOptions } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { formatTable } from '../output/table.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `search`: what catalogs have. */
export function addSearch(program: Command, run: RunVerb): void {
  const command = program
    .command('search')
    .summary('find appliances and applications in catalogs')
    .description(
      'Finds what stands in catalogs by words of its name and texts, and by the protocols that it speaks.',
    )
    .argument('[word...]', 'each must be in the name, the title or the description')
    .option('--offers <protocol>', 'has an in or external terminal of this protocol')
    .option('--needs <protocol>', 'has an out terminal of this protocol');
  takeCatalogOptions(command)
    .addHelpText('after', example('search', 'search database --offers postgresql'))
    .action(
      (
        text: readonly string[],
        options: CatalogOptions & { readonly offers?: string; readonly needs?: string },
      ) =>
        run('reads', async (host) => {
          const catalogs = await host.catalogs(options);
          try {
            const { offers, needs } = options;
            const request = {
              text,
              ...(offers !== undefined && { offers }),
              ...(needs !== undefined && { needs }),
            };
            const hits: SearchHit[] = [];
            for (const catalog of await catalogs.usual(reportWarnings(host))) {
              const index = await catalog.index();
              if (index !== undefined) hits.push(...search(index, catalog.options.shelf.name, request));
            }
            if (host.isJson) host.printJson({ found: hits });
            else if (hits.length === 0) host.print('nothing was found');
            else host.print(formatTable(hits.map(rowOf)));
            return 0;
          } finally {
            await catalogs.close();
          }
        }),
    );
}

function rowOf({ name, version, packs, title, versions, channels, catalog }: SearchHit): readonly string[] {
  const marks = Object.entries(channels).map(([channel, at]) => `${channel} ${at}`);
  const yanked = versions.flatMap((each) =>
    each.yanked === undefined ? [] : [`${each.version} withdrawn: ${each.yanked}`],
  );
  return [`${name}@${version}`, packs, title ?? '', [...marks, ...yanked].join('; '), catalog].map(
    visibleLine,
  );
}
