import type { Command } from 'commander';
import { findPublished, parseWanted, pullFile } from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import { formatSize } from '../../engine/units.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { RunVerb } from '../host.ts';
import { example, takeCatalogOptions } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `pull`: a published version becomes a bundle file. */
export function addPull(program: Command, run: RunVerb): void {
  const command = program
    .command('pull')
    .summary('fetch a published version as a bundle')
    .description(
      'Fetches a version from a catalog and writes it as a bundle, after its signatures were checked. Only what this ' +
        'machine lacks is fetched; run again, the verb goes on where it stopped.',
    )
    .argument('<name@range>', 'what to fetch, such as guestbook, guestbook@^1 or guestbook@stable')
    .option('-o, --output <file>', 'the bundle to write (default: NAME-VERSION.sheaf)');
  takeCatalogOptions(command)
    .addHelpText(
      'after',
      example('pull guestbook@^1', 'pull guestbook@stable --catalog oci://registry.example.com/acme'),
    )
    .action((text: string, options: CatalogOptions & { readonly output?: string }) =>
      run('changes', async (host) => {
        const wanted = requireWanted(text);
        const catalogs = await host.catalogs(options);
        const reporter = await startReporter(host, `pull ${text}`);
        const work = async () => {
          const found = await findPublished(await catalogs.usual(reporter.report), wanted);
          const { name, version } = found.bundle.contents.list;
          const file = options.output ?? `${name}-${version}.sheaf`;
          const packed = await pullFile(found, { file, blobs: await catalogs.blobs() });
          const signedBy = found.verdict.kind === 'signed' ? found.verdict.key.name : null;
          return { name, version, catalog: found.catalog.options.shelf.name, signedBy, ...packed };
        };
        const pulled = await work().finally(async () => {
          reporter.end();
          await catalogs.close();
        });
        if (host.isJson) host.printJson({ type: 'result', ...pulled });
        else
          host.print(
            visibleLine(
              `${pulled.file}: ${formatSize(pulled.sentBytes)} fetched, ${formatSize(pulled.skippedBytes)} were here; ` +
                `${pulled.signedBy === null ? 'signed by nobody' : `signed by ${pulled.signedBy}`} (${pulled.digest})`,
            ),
          );
        return 0;
      }),
    );
}

/** Reads what is wanted of a catalog. @throws EngineError USAGE_WRONG */
function requireWanted(text: string): NonNullable<ReturnType<typeof parseWanted>> {
  const wanted = parseWanted(text);
  if (wanted !== undefined) return wanted;
  throw new EngineError('USAGE_WRONG', `${text} is no name with a range of versions`, {
    hint: 'Write it as name, name@^1 or name@stable.',
  });
}
