import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { collect, example } from '../options.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `lock`: exact versions, written beside the description. */
export function addLock(program: Command, run: RunVerb): void {
  program
    .command('lock')
    .summary('choose exact versions and write sheaf.lock')
    .description('Chooses an exact version for every appliance and writes sheaf.lock beside the description.')
    .argument('[path]', "the application's folder or file", '.')
    .option(
      '--update <name>',
      'let this appliance move to the newest allowed version; may be repeated',
      collect,
    )
    .addHelpText('after', example('lock applications/guestbook', 'lock applications/guestbook --update php'))
    .action((path: string, options: { update?: readonly string[] }) =>
      run('changes', async (host) => {
        const result = await (await host.engine()).lock(path, options.update ?? []);
        if (host.isJson) host.printJson(result);
        else if (result.changed.length === 0) host.print(`${visibleLine(result.file)} is up to date`);
        else
          host.print(
            [
              `${visibleLine(result.file)} written`,
              ...result.changed.map((line) => `  ${visibleLine(line)}`),
            ].join('\n'),
          );
        return 0;
      }),
    );
}
