import type { Command } from 'commander';
import { checkParts, openBundle } from '../../catalog/index.ts';
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
    .addHelpText('after', example('verify guestbook-1.0.0.sheaf'))
    .action((file: string) =>
      run('reads', async (host) => {
        const { judge } = await host.bundles();
        const bundle = await openBundle(file);
        try {
          const signatures = await judge(bundle);
          const checkedBytes = await checkParts(bundle, host.signal);
          const { contents, note } = bundle;
          const { manifest, root, list } = contents;
          const digest = manifest.config.digest;
          if (host.isJson)
            host.printJson({ digest, manifest: root.digest, form: note.form, checkedBytes, signatures });
          else
            host.print(
              [
                `${visibleLine(`${list.name} ${list.version}`)} is whole: ${checkedBytes} bytes checked`,
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
