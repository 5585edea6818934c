import { type Command, Option } from 'commander';
import { type GraphFormat, graphFormats } from '../../engine/model/request.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { RunVerb } from '../host.ts';
import { example, takeCatalogOptions } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { visible } from '../output/visible.ts';

/** Adds `graph`: the graph of a description, for people and for drawing tools. */
export function addGraph(program: Command, run: RunVerb): void {
  const command = program
    .command('graph')
    .summary('draw the graph of an application or assembly')
    .description('Writes the graph of an application or assembly; --json is short for --format json.')
    .argument('<path>', 'its folder or file, a bundle, or NAME@RANGE in a catalog')
    .addOption(new Option('--format <format>', 'how it is written').choices(graphFormats).default('text'))
    .addHelpText('after', example('graph applications/guestbook --format svg > guestbook.svg'));
  takeCatalogOptions(command).action((path: string, options: { format: GraphFormat } & CatalogOptions) =>
    run('reads', async (host) => {
      const engine = await host.engine({ insecure: 'files', ...options });
      const text = (
        await engine.graph(path, host.isJson ? 'json' : options.format, {
          signal: host.signal,
          report: reportWarnings(host),
        })
      ).trimEnd();
      if (host.isJson) host.printJson(JSON.parse(text));
      else host.print(host.isTerminal ? visible(text) : text);
      return 0;
    }),
  );
}
