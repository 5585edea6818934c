import { type Command, InvalidArgumentError } from 'commander';
import { formatSize, parseDuration } from '../../engine/units.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { count } from '../output/table.ts';

type PruneOptions = { readonly unusedFor?: number; readonly dryRun?: true };

/** Adds `prune`: what only takes room is removed. */
export function addPrune(program: Command, run: RunVerb): void {
  program
    .command('prune')
    .summary('remove images and disks that nothing needs')
    .description(
      'Removes layers, disks and parts of kits that no deployment and no image needs. Volumes and backups are never touched. ' +
        'What was used within the last hour stays, so others may work meanwhile.',
    )
    .option(
      '--unused-for <duration>',
      'also images, kits and contents that no deployment needs and nobody used for so long, such as 30d; they are built again when needed',
      takeDuration,
    )
    .option('--dry-run', 'tell what would go, and remove nothing')
    .addHelpText('after', example('prune', 'prune --unused-for 30d --dry-run'))
    .action((options: PruneOptions) =>
      run('changes', async (host) => {
        const { unusedFor, dryRun: isTrial = false } = options;
        const call = { signal: host.signal, report: reportWarnings(host) };
        const engine = await host.engine();
        const request = { ...(unusedFor !== undefined && { unusedForMs: unusedFor }), isTrial };
        const answer = await engine.prune(request, call);
        if (host.isJson) host.printJson(answer);
        else {
          const disks = answer.pools.reduce((sum, pool) => sum + pool.count, 0);
          const what = `${count(answer.blobs.count, 'blob')} and ${count(disks, 'disk')}`;
          host.print(
            `${isTrial ? 'would remove' : 'removed'} ${what}: ${formatSize(roundBytes(answer.bytes))}`,
          );
        }
        return 0;
      }),
    );
}

function takeDuration(text: string): number {
  const duration = parseDuration(text);
  if ('message' in duration) throw new InvalidArgumentError(duration.hint);
  return duration.value;
}

/** To whole mebibytes where there are any, since nobody reads more. */
function roundBytes(bytes: number): number {
  return bytes < 2 ** 20 ? bytes : Math.round(bytes / 2 ** 20) * 2 ** 20;
}
