import type { Command } from 'commander';
import {
  type BundleFile,
  contentsOf,
  isBundle,
  openBundle,
  type PackedFile,
  packFile,
} from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Report } from '../../engine/index.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { Host, RunVerb } from '../host.ts';
import { collect, example, takeCatalogOptions } from '../options.ts';
import { reportWarnings, startReporter } from '../output/reporter.ts';

type PackOptions = {
  readonly output: string;
  readonly thin?: true;
  readonly deltaFrom?: string;
  readonly base?: readonly string[];
} & CatalogOptions;

/** Adds `pack`: an application becomes one file. */
export function addPack(program: Command, run: RunVerb): void {
  const command = program
    .command('pack')
    .summary('pack an application with all that it needs into one file')
    .description(
      'Packs an application, assembly or appliance with everything that it needs into one file, and prints its digest: ' +
        'equal sources and locks give equal bytes. A bundle is packed again in another form; with its base, a delta becomes whole.',
    )
    .argument('<source>', "the application's folder or file, or a bundle")
    .requiredOption('-o, --output <file>', 'the bundle to write')
    .option('--thin', 'leave out images and kit, for servers that have them')
    .option('--delta-from <bundle>', 'leave out what this bundle holds')
    .option(
      '--base <bundle>',
      'a bundle that holds what the source, a delta, lacks; may be repeated',
      collect,
    )
    .addHelpText(
      'after',
      example(
        'pack applications/guestbook -o guestbook-1.0.0.sheaf',
        'pack applications/guestbook -o update.sheaf --delta-from guestbook-1.0.0.sheaf',
        'pack update.sheaf --base guestbook-1.0.0.sheaf -o guestbook-1.1.0.sheaf',
      ),
    );
  takeCatalogOptions(command).action((source: string, options: PackOptions) =>
    run('changes', async (host) => {
      if (options.thin && options.deltaFrom !== undefined)
        throw new EngineError('USAGE_WRONG', '--thin and --delta-from exclude each other');
      // in a pipe the digest stands alone
      const isPlain = !host.isTerminal && !host.isJson;
      const reporter = isPlain
        ? { report: reportWarnings(host), end: () => undefined }
        : await startReporter(host, `pack ${source}`);
      const packed = await pack(source, options, host, reporter.report).finally(() => reporter.end());
      if (host.isJson) host.printJson({ type: 'result', ...packed });
      else host.print(packed.digest);
      return 0;
    }),
  );
}

async function pack(source: string, options: PackOptions, host: Host, report: Report): Promise<PackedFile> {
  const call = { signal: host.signal, report };
  const { output: file, thin, deltaFrom, base: bases = [] } = options;
  const form = { file, ...(thin && { thin }), ...(deltaFrom !== undefined && { deltaFrom }) };
  if (!(await isBundle(source))) {
    if (bases.length > 0) throw new EngineError('USAGE_WRONG', '--base is for a source that is a bundle');
    const { list, blobs } = await (await host.engine(options)).pack(source, call);
    const open = (part: Descriptor) => blobs.open(part.digest);
    return await packFile({ ...form, contents: contentsOf(list), source: { open } }, call);
  }
  const bundles: BundleFile[] = [];
  try {
    for (const path of [source, ...bases]) bundles.push(await openBundle(path));
    const [first] = bundles as [BundleFile];
    // whoever lacks the part as well says so
    const open = (part: Descriptor) => (bundles.find((bundle) => bundle.has(part)) ?? first).open(part);
    return await packFile({ ...form, contents: first.contents, source: { open } }, call);
  } finally {
    for (const bundle of bundles) await bundle.close();
  }
}
