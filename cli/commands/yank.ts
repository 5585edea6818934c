import type { Command } from 'commander';
import { yank } from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { visibleLine } from '../output/visible.ts';

type YankOptions = {
  readonly reason: string;
  readonly catalog: string;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly insecure?: true;
};

/** Adds `yank`: a version is withdrawn. */
export function addYank(program: Command, run: RunVerb): void {
  program
    .command('yank')
    .summary('withdraw a published version')
    .description(
      'Withdraws a version: those who have it keep it, nobody chooses it any more, and everybody is told why.',
    )
    .argument('<name@version>', 'the version')
    .requiredOption('--reason <text>', 'why, for those who would have chosen it')
    .requiredOption('--catalog <place>', 'a folder, or oci://host/path')
    .option('--key <file>', 'signs the index')
    .option('--passphrase-file <file>', 'holds the passphrase of the key')
    .option('--insecure', 'do so although the index is signed by nobody trusted, and say so')
    .addHelpText('after', example('yank guestbook@1.0.0 --reason "loses entries" --catalog ~/catalog'))
    .action((text: string, options: YankOptions) =>
      run('changes', async (host) => {
        const [, name = '', version = ''] = /^([^@]+)@([^@]+)$/.exec(text) ?? [];
        if (name === '' || options.reason.trim() === '')
          throw new EngineError(
            'USAGE_WRONG',
            name === '' ? `${text} is no version` : 'the reason is empty',
            {
              hint: 'Write it as name@1.0.0, with a reason that helps.',
            },
          );
        const { catalog: place, insecure } = options;
        const catalogs = await host.catalogs(insecure === undefined ? {} : { insecure });
        try {
          const key =
            options.key === undefined
              ? undefined
              : await catalogs.readKey(options.key, options.passphraseFile);
          const catalog = await catalogs.open(place, reportWarnings(host), key);
          await yank(catalog, { name, version, reason: options.reason, ...(key !== undefined && { key }) });
          if (host.isJson)
            host.printJson({ name, version, reason: options.reason, catalog: catalog.options.shelf.name });
          else host.print(visibleLine(`${name} ${version} is withdrawn: ${options.reason}`));
          return 0;
        } finally {
          await catalogs.close();
        }
      }),
    );
}
