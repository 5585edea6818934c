import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { collect, collectExposure, type Exposures, example } from '../options.ts';
import { askPassphrase } from '../output/ask-passphrase.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';
import { type OpeningOptions, openingOf } from './backup-keys.ts';
import { requireName } from './deploy-options.ts';

type RestoreOptions = OpeningOptions & {
  readonly as?: string;
  readonly pool?: string;
  readonly base?: readonly string[];
  readonly expose?: Exposures;
};

/** Adds `restore`: a deployment out of a backup. */
export function addRestore(program: Command, run: RunVerb): void {
  program
    .command('restore')
    .summary('make a deployment out of a backup')
    .description(
      'Makes a deployment out of a backup, with its data and secrets, and with identities, addresses and endpoints of its own, ' +
        'beside whatever else runs. The backup is verified to its end before anything is made, and the data when they are in place. ' +
        'Run again, it goes on where it was cut off.',
    )
    .argument('<file>', 'as `backup` wrote it')
    .option('--as <name>', 'name of the new deployment')
    .option('--pool <pool>', 'where it shall run')
    .option('--base <file>', 'a backup that this one is based on; may be repeated', collect)
    .option(
      '--expose <terminal=address:port>',
      'where an external terminal listens; may be repeated',
      collectExposure,
    )
    .option('--passphrase-file <file>', 'the passphrase with which it was encrypted')
    .option('--identity <file>', 'with secret keys of age')
    .addHelpText('after', example('restore guestbook.backup --as second --passphrase-file passphrase'))
    .action((file: string, options: RestoreOptions) =>
      run('changes', async (host) => {
        const name = requireName(options, 'restore');
        const given = await openingOf(options, host);
        const passphrase = given ? undefined : await askPassphrase(host, 'Passphrase of the backup: ');
        const opening =
          given ?? (passphrase === undefined ? undefined : { kind: 'passphrase' as const, passphrase });
        const engine = await host.engine();
        const reporter = await startReporter(host, `restore ${name}`);
        const status = await engine
          .restore(
            {
              name,
              file,
              bases: options.base ?? [],
              expose: options.expose ?? {},
              ...(opening && { opening }),
              ...(options.pool !== undefined && { pool: options.pool }),
            },
            { signal: host.signal, report: reporter.report },
          )
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}
