import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../../engine/units.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportLines } from '../output/reporter.ts';

type WatchOptions = { readonly interval?: number; readonly patience?: number };

const secondMs = 1000;
const dayMs = 86_400_000;

/** Adds `watch`: drift is told and healed as long as it runs. */
export function addWatch(program: Command, run: RunVerb): void {
  program
    .command('watch')
    .summary('tell drift as it happens, and repair it')
    .description(
      'Looks at one deployment, or at all, again and again, tells what drifts and repairs it, until it is stopped. What was ' +
        'repaired three times within an hour is left for a person.',
    )
    .argument('[name]', 'a deployment (default: all)')
    .option('--interval <duration>', 'pause between two looks (default: 10s)', takeDuration)
    .option('--patience <duration>', 'how long an instance may be unhealthy (default: 1min)', takeDuration)
    .addHelpText('after', example('watch', 'watch guestbook --interval 5s'))
    .action(
      (name: string | undefined, { interval = 10 * secondMs, patience = 60 * secondMs }: WatchOptions) =>
        run('changes', async (host) => {
          const engine = await host.engine();
          const call = { signal: host.signal, report: reportLines(host) };
          await engine.watch(name, { intervalMs: interval, patienceMs: patience }, call);
          if (host.isJson) host.printJson({ type: 'result', state: 'ended' });
          return 0;
        }),
    );
}

function takeDuration(text: string): number {
  const duration = parseDuration(text);
  if ('message' in duration) throw new InvalidArgumentError(duration.hint);
  if (duration.value >= secondMs && duration.value <= dayMs) return duration.value;
  throw new InvalidArgumentError('Take at least 1s and at most 1d.');
}
