import { type Command, InvalidArgumentError } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';

/** By appliance path. */
type Counts = Readonly<Record<string, number>>;

/** Adds `scale`: more or fewer replicas. */
export function addScale(program: Command, run: RunVerb): void {
  program
    .command('scale')
    .summary('run more or fewer replicas of an appliance')
    .description(
      'Gives appliances of a deployment other numbers of replicas, and waits until all are healthy. The numbers stay ' +
        'until the description says another one. Data of replicas that go are kept, and are theirs again when they come back.',
    )
    .argument('<name>', 'a deployment')
    .argument('<appliance=count...>', 'how many replicas of an appliance there shall be', collectCount)
    .addHelpText('after', example('scale guestbook web=3'))
    .action((name: string, replicas: Counts) =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const reporter = await startReporter(host, `scale ${name}`);
        const status = await engine
          .scale(name, replicas, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}

function collectCount(text: string, earlier: Counts = {}): Counts {
  const [, path = '', count] = /^([^=]+)=(\d{1,6})$/.exec(text) ?? [];
  if (path === '') throw new InvalidArgumentError('Write it as appliance=count, such as web=3.');
  if (Object.hasOwn(earlier, path)) throw new InvalidArgumentError(`${path} is given twice.`);
  return { ...earlier, [path]: Number(count) };
}
