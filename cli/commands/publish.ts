import { type Command, Option } from 'commander';
import {
  type Channel,
  channels,
  contentsOf,
  isBundle,
  openBundle,
  type Published,
  publish,
  type SigningKey,
} from '../../catalog/index.ts';
import type { Report } from '../../engine/index.ts';
import { formatSize } from '../../engine/units.ts';
import type { CatalogOptions, Catalogs } from '../catalogs.ts';
import type { Host, RunVerb } from '../host.ts';
import { collect, example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { visibleLine } from '../output/visible.ts';

type PublishOptions = CatalogOptions & {
  readonly to: string;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly channel?: readonly Channel[];
};

/** Adds `publish`: a version becomes part of a catalog. */
export function addPublish(program: Command, run: RunVerb): void {
  program
    .command('publish')
    .summary('publish an appliance or application to a catalog')
    .description(
      'Publishes a bundle, or the folder of an appliance or application, which is packed first. Only what the catalog ' +
        'lacks is sent. A published version never changes; run again, the verb goes on where it stopped.',
    )
    .argument('<source>', 'a bundle, or a folder')
    .requiredOption('--to <catalog>', 'a folder, or oci://host/path')
    .option('--key <file>', 'sign with this key: the bundle, the index, and the tag that cosign looks for')
    .option('--passphrase-file <file>', 'holds the passphrase of the key')
    .addOption(
      new Option('--channel <name>', 'let a channel stand at this version; may be repeated')
        .choices(channels)
        .argParser((value: string, earlier: readonly string[] = []) => collect(value, earlier)),
    )
    .option(
      '--insecure',
      'publish unsigned, or although nobody trusted has signed the index there, and say so',
    )
    .addHelpText(
      'after',
      example(
        'publish guestbook-1.0.0.sheaf --to ~/catalog --key acme.key',
        'publish applications/guestbook --to oci://registry.example.com/acme --key acme.key --channel stable',
      ),
    )
    .action((source: string, options: PublishOptions) =>
      run('changes', async (host) => {
        const catalogs = await host.catalogs(options);
        try {
          const key =
            options.key === undefined
              ? undefined
              : await catalogs.readKey(options.key, options.passphraseFile);
          const reporter = await startReporter(host, `publish ${source}`);
          const published = await publishSource(
            source,
            options,
            key,
            host,
            catalogs,
            reporter.report,
          ).finally(() => reporter.end());
          if (host.isJson) host.printJson({ type: 'result', ...published });
          else host.print(visibleLine(summary(published)));
          return 0;
        } finally {
          await catalogs.close();
        }
      }),
    );
}

async function publishSource(
  source: string,
  { to, channel = [] }: PublishOptions,
  key: SigningKey | undefined,
  host: Host,
  catalogs: Catalogs,
  report: Report,
): Promise<Published> {
  const catalog = await catalogs.open(to, report, key);
  const request = { channels: channel, ...(key !== undefined && { key }) };
  if (!(await isBundle(source))) {
    const { list, blobs } = await (await host.engine()).pack(source, { signal: host.signal, report });
    const bundle = {
      contents: contentsOf(list),
      source: { open: (part: { readonly digest: `sha256:${string}` }) => blobs.open(part.digest) },
    };
    return await publish(catalog, { bundle, ...request });
  }
  const file = await openBundle(source);
  try {
    return await publish(catalog, { bundle: { contents: file.contents, source: file }, ...request });
  } finally {
    await file.close();
  }
}

function summary({ name, version, catalog, sentBytes, skippedBytes, digest }: Published): string {
  return `${name} ${version} is in ${catalog}: ${formatSize(sentBytes)} sent, ${formatSize(skippedBytes)} were there (${digest})`;
}
