import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import { formatSize } from '../../engine/units.ts';
import type { RunVerb } from '../host.ts';
import { collect, example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { count } from '../output/table.ts';
import { visibleLine } from '../output/visible.ts';
import { openingOf, sealingOf } from './backup-keys.ts';

type BackupOptions = {
  readonly output?: string;
  readonly base?: string;
  readonly withImages?: true;
  readonly passphraseFile?: string;
  readonly recipient?: readonly string[];
  readonly identity?: string;
};

/** Adds `backup`: a deployment with its data in one file. */
export function addBackup(program: Command, run: RunVerb): void {
  program
    .command('backup')
    .summary('write a deployment with its data into a file')
    .description(
      'Writes a deployment with its data and secrets into a file, while it runs: first what there is, then, with its services ' +
        'standing still for a moment, what was changed meanwhile. With --base only what that backup does not hold. The file is in the ' +
        'format of age when it is encrypted, which it has to be when there are secrets.',
    )
    .argument('<name>', 'a deployment')
    .option('-o, --output <file>', 'replaced when the backup is whole')
    .option('--base <file>', 'an earlier backup of it; both are needed to restore')
    .option('--with-images', 'put in what it runs from, so that it can be restored where nothing of it is')
    .option('--passphrase-file <file>', 'encrypt by the passphrase in a file, such as <(pass show backup)')
    .option('--recipient <key>', 'encrypt to a public key of age, such as age1…; may be repeated', collect)
    .option('--identity <file>', 'with secret keys of age, to open --base')
    .addHelpText(
      'after',
      example(
        'backup guestbook -o guestbook.backup --passphrase-file passphrase',
        'backup guestbook -o monday.backup --base sunday.backup --passphrase-file passphrase',
      ),
    )
    .action((name: string, options: BackupOptions) =>
      run('changes', async (host) => {
        const { output, base } = options;
        if (output === undefined)
          throw new EngineError('USAGE_WRONG', "required option '-o, --output <file>' not specified", {
            hint: 'See "sheaf help backup".',
          });
        const sealing = await sealingOf(options, host);
        const given = await openingOf(
          options.recipient === undefined
            ? options
            : { ...(options.identity && { identity: options.identity }) },
          host,
        );
        const opening = given ?? (sealing?.kind === 'passphrase' ? sealing : undefined);
        const engine = await host.engine();
        const reporter = await startReporter(host, `backup ${name}`);
        const answer = await engine
          .backUp(
            {
              name,
              file: output,
              withImages: options.withImages === true,
              ...(sealing && { sealing }),
              ...(base !== undefined && { base: { file: base, ...(opening && { opening }) } }),
            },
            { signal: host.signal, report: reporter.report },
          )
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...answer });
        else
          host.print(
            `${visibleLine(answer.file)}: ${formatSize(answer.bytes)} for ${formatSize(answer.dataBytes)} in ` +
              `${count(answer.files, 'file')}, ${answer.isEncrypted ? 'encrypted' : 'not encrypted'}\n` +
              `Restore it beside ${name} with: ${host.program} restore ${visibleLine(output)} --as NEW`,
          );
        return 0;
      }),
    );
}
