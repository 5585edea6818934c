import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example, takeDuration } from '../options.ts';
import { reportLines } from '../output/reporter.ts';

type WatchOptions = { readonly interval?: number; readonly patience?: number };

const secondMs = 1000;

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
