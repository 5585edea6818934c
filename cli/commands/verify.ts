import type { Command } from 'commander';
import { type BundleForm, checkParts, openBundle } from '../../catalog/index.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `verify`: every byte of a bundle, and who signed it. */
export function addVerify(program: Command, run: RunVerb): void {
  program
    .command('verify')
    .summary('check every byte of a bundle, and who signed it')
    .description(
      'Reads a whole bundle: sizes, digests, what its layers unpack to, and that its texts agree with each other; and checks who signed it.',
    )
    .argument('<bundle>', 'a file that pack wrote')
    .option('--insecure', 'check the bytes although nobody trusted has signed it, and say so')
    .addHelpText('after', example('verify guestbook-1.0.0.sheaf'))
    .action((file: string, options: CatalogOptions) =>
      run('reads', async (host) => {
        const { judge } = await host.bundles(options);
        const bundle = await openBundle(file);
        try {
          const checkedBytes = await checkParts(bundle, host.signal);
          const signatures = await judge(bundle);
          const { contents, note } = bundle;
          const { manifest, root, list } = contents;
          const digest = manifest.config.digest;
          if (host.isJson)
            host.printJson({ digest, manifest: root.digest, form: note.form, checkedBytes, signatures });
          else
            host.print(
              [
                wholeness(`${list.name} ${list.version}`, note.form, checkedBytes),
                `identity: ${digest}`,
                `signatures: ${signatures.state}; ${visibleLine(signatures.reason)}`,
              ].join('\n'),
            );
          return 0;
        } finally {
          await bundle.close();
        }
      }),
    );
}

/** Says what was found whole: of a thin bundle and a delta only what they hold. */
function wholeness(name: string, form: BundleForm, bytes: number): string {
  const what = form === 'thick' ? 'is whole' : `is a ${form} bundle; all that it holds is whole`;
  return `${visibleLine(name)} ${what}: ${bytes} bytes checked`;
}
