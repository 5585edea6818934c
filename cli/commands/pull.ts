import type { Command } from 'commander';
import { fetchParts, findPublished, packFile, parseWanted } from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
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
        const call = { signal: host.signal, report: reporter.report };
        const work = async () => {
          const found = await findPublished(await catalogs.usual(reporter.report), wanted);
          const blobs = await catalogs.blobs();
          const moved = await fetchParts(found, blobs);
          const { contents } = found.bundle;
          const { name, version } = contents.list;
          const source = { open: (part: Descriptor) => blobs.open(part.digest) };
          const packed = await packFile(
            { contents, source, file: options.output ?? `${name}-${version}.sheaf` },
            call,
          );
          const signedBy = found.verdict.kind === 'signed' ? found.verdict.key.name : null;
          return { name, version, catalog: found.catalog.options.shelf.name, signedBy, ...packed, ...moved };
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
