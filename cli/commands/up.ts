import { type Command, Option } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { Engine } from '../../engine/index.ts';
import type { DeployRequest } from '../../engine/model/request.ts';
import type { Host, RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { confirm } from '../output/confirm.ts';
import { formatPlan } from '../output/plan-text.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival } from '../output/status-text.ts';
import { type DeployOptions, deployRequest, takeDeployOptions } from './deploy-options.ts';

/** Adds `up`: a deployment comes up, converges or resumes. */
export function addUp(program: Command, run: RunVerb): void {
  const command = program
    .command('up')
    .summary('bring an application up under a name, or resume what was interrupted')
    .description(
      'Brings an application up under a name and waits until it is healthy. Run again, it brings the deployment ' +
        'back to what the description says, or resumes an operation that was interrupted.',
    );
  takeDeployOptions(command)
    .addOption(new Option('--rollback', 'undo an unfinished operation instead of resuming it'))
    .option('--yes', 'do not ask before instances restart')
    .addHelpText(
      'after',
      example(
        'up applications/guestbook --as guestbook',
        'up applications/guestbook --as guestbook --expose edge.web=127.0.0.1:8080',
      ),
    )
    .action((source: string, options: DeployOptions & { rollback?: true; yes?: true }) =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const request = deployRequest(source, options);
        const rollback = options.rollback === true;
        if (host.isTerminal && host.stdin.isTTY && !options.yes && !rollback)
          await confirmRestarts(engine, request, host);
        const reporter = await startReporter(host, `up ${request.name}`);
        const status = await engine
          .up(request, { signal: host.signal, report: reporter.report, rollback })
          .finally(() => reporter.end());
        if (status === null) {
          if (host.isJson) host.printJson({ type: 'result', name: request.name, state: 'absent' });
          else host.print(`${request.name} is gone: the operation that made it is undone`);
        } else if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}

/** Asks when the plan for a deployment that exists and is whole stops instances or would lose data. */
async function confirmRestarts(engine: Engine, request: DeployRequest, host: Host): Promise<void> {
  const options = { signal: host.signal, report: () => undefined };
  const known = (await engine.list(options)).find((deployment) => deployment.name === request.name);
  if (!known || known.state === 'unfinished') return;
  const report = await engine.plan(request, options);
  if (report.restarts.length === 0 && report.plan.losesData.length === 0) return;
  host.print(formatPlan(report, host.style));
  if (await confirm(host, `Go on with ${request.name}?`)) return;
  throw new EngineError('OPERATION_INTERRUPTED', `${request.name} was left as it is`);
}
