import type { Command } from 'commander';
import { signFile } from '../../catalog/index.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `sign`: somebody answers for a bundle. */
export function addSign(program: Command, run: RunVerb): void {
  program
    .command('sign')
    .summary('sign a bundle')
    .description('Adds a signature over the identity of a bundle. The identity stays as it is.')
    .argument('<bundle>', 'a file that pack wrote')
    .requiredOption('--key <file>', 'a private key that key new made')
    .option('--passphrase-file <file>', 'holds the passphrase of the key')
    .addHelpText('after', example('sign guestbook-1.0.0.sheaf --key acme.key'))
    .action((file: string, options: { readonly key: string; readonly passphraseFile?: string }) =>
      run('changes', async (host) => {
        const catalogs = await host.catalogs();
        const key = await catalogs.readKey(options.key, options.passphraseFile);
        const signed = await signFile(file, key, Date.now(), {
          signal: host.signal,
          report: reportWarnings(host),
        });
        if (host.isJson) host.printJson(signed);
        else host.print(visibleLine(`${file} is signed by ${key.name} (${signed.digest})`));
        return 0;
      }),
    );
}
