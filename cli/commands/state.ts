import type { Command } from 'commander';
import { formatSize } from '../../engine/units.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { count } from '../output/table.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `state backup` and `state restore`: the records of all deployments, in one file. */
export function addState(program: Command, run: RunVerb): void {
  const state = program
    .command('state')
    .summary('back up and restore the records of all deployments')
    .description(
      'Backs up and restores what is recorded of all deployments, with the images that they run from. The data of their ' +
        'volumes are not in it.',
    );
  state
    .command('backup')
    .description('Writes the records into a file, while deployments run and others work.')
    .argument('<file>', 'replaced when it is there')
    .option('--with-key', 'put the key of the secrets in too: whoever has the file then has the secrets')
    .addHelpText('after', example('state backup /var/backups/sheaf.tar'))
    .action((file: string, options: { withKey?: true }) =>
      run('changes', async (host) => {
        const call = { signal: host.signal, report: reportWarnings(host) };
        const engine = await host.engine();
        const answer = await engine.backupState(file, options.withKey === true, call);
        if (host.isJson) host.printJson(answer);
        else
          host.print(
            [
              `${visibleLine(answer.file)}: ${formatSize(answer.bytes)}, ${count(answer.blobs, 'blob')}`,
              answer.hasKey
                ? 'The key of the secrets is in it: keep it like one.'
                : 'The secrets in it are sealed, and their key is not: keep a copy of the key elsewhere.',
              'The data of the volumes are not in it.',
            ].join('\n'),
          );
        return 0;
      }),
    );
  state
    .command('restore')
    .description('Puts the records of a backup in place. Nothing is stopped or started.')
    .argument('<file>', 'as `state backup` wrote it')
    .option('--replace', 'set a state aside that holds deployments')
    .addHelpText('after', example('state restore /var/backups/sheaf.tar'))
    .action((file: string, options: { replace?: true }) =>
      run('changes', async (host) => {
        const answer = await (await host.engine()).restoreState(file, options.replace === true);
        if (host.isJson) host.printJson(answer);
        else
          host.print(
            [
              `${count(answer.deployments.length, 'deployment')}: ${answer.deployments.map(visibleLine).join(', ') || 'none'}`,
              ...(answer.setAside ? [`What was there before lies in ${visibleLine(answer.setAside)}`] : []),
              `What of it runs: ${host.program} status. What runs and is not in it: ${host.program} adopt local.`,
            ].join('\n'),
          );
        return 0;
      }),
    );
}
