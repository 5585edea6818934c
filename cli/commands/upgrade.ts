import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { Engine } from '../../engine/index.ts';
import type { DeployRequest } from '../../engine/model/request.ts';
import type { PlanReport } from '../../engine/model/status.ts';
import type { Host, RunVerb } from '../host.ts';
import { example, takeDuration } from '../options.ts';
import { confirm } from '../output/confirm.ts';
import { formatPlan } from '../output/plan-text.ts';
import { reportWarnings, startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';
import { type DeployOptions, deployRequest, takeValueOptions } from './deploy-options.ts';

type UpgradeOptions = Omit<DeployOptions, 'as' | 'pool'> & {
  readonly plan?: true;
  readonly yes?: true;
  readonly patience?: number;
};

/** Adds `upgrade`: another version of what is deployed. */
export function addUpgrade(program: Command, run: RunVerb): void {
  const command = program
    .command('upgrade')
    .summary('bring a deployment to another version, and back by itself when that fails')
    .description(
      'Brings a deployment to another version of its application. Its data are frozen first; replicas are changed one at a time, ' +
        'each when the one before is healthy. A version that does not get healthy is left again by itself, with the data as they ' +
        'were wherever it had touched them. Afterwards `rollback` leads back.',
    )
    .argument('<name>', 'a deployment')
    .argument('<source>', 'the other version: a folder, a bundle, or a name in a catalog');
  takeValueOptions(command)
    .option('--plan', 'show what would be done and stop, and change nothing')
    .option(
      '--patience <duration>',
      'how long it may take to get healthy, from the last progress (5min)',
      takeDuration,
    )
    .option('--yes', 'do not ask before it begins')
    .addHelpText(
      'after',
      example(
        'upgrade guestbook applications/guestbook --plan',
        'upgrade guestbook guestbook-2.0.0.sheaf --yes',
      ),
    )
    .action((name: string, source: string, options: UpgradeOptions) =>
      run(options.plan ? 'reads' : 'changes', async (host) => {
        const request = await deployRequest(source, { ...options, as: name }, host);
        const engine = await host.engine(options);
        if (options.plan) return await show(host, engine, request);
        if (host.isTerminal && host.stdin.isTTY && !options.yes) await confirmUpgrade(engine, request, host);
        const reporter = await startReporter(host, `upgrade ${name}`);
        const { patience: patienceMs } = options;
        const status = await engine
          .upgrade(request, patienceMs, { signal: host.signal, report: reporter.report })
          .finally(() => reporter.end());
        if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}

async function planOf(engine: Engine, request: DeployRequest, host: Host): Promise<PlanReport> {
  return await engine.planUpgrade(request, { signal: host.signal, report: reportWarnings(host) });
}

async function show(host: Host, engine: Engine, request: DeployRequest): Promise<number> {
  const report = await planOf(engine, request, host);
  if (host.isJson) host.printJson(report);
  else host.print(formatPlan(report, host.style));
  return 0;
}

async function confirmUpgrade(engine: Engine, request: DeployRequest, host: Host): Promise<void> {
  host.print(formatPlan(await planOf(engine, request, host), host.style));
  if (await confirm(host, `Go on with ${request.name}?`)) return;
  throw new EngineError('OPERATION_INTERRUPTED', `${request.name} was left as it is`);
}
