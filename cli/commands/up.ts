import { type Command, Option } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { Engine } from '../../engine/index.ts';
import type { DeployRequest } from '../../engine/model/request.ts';
import type { DeploymentStatus } from '../../engine/model/status.ts';
import type { Host, RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { confirm } from '../output/confirm.ts';
import { formatPlan } from '../output/plan-text.ts';
import { startReporter } from '../output/reporter.ts';
import { formatArrival, formatArrivals } from '../output/status-text.ts';
import { type DeployOptions, deployRequest, requireName, takeDeployOptions } from './deploy-options.ts';

type UpOptions = DeployOptions & { readonly all?: true; readonly rollback?: true; readonly yes?: true };

/** Adds `up`: a deployment comes up, converges or resumes; or all come back as they are recorded. */
export function addUp(program: Command, run: RunVerb): void {
  const command = program
    .command('up')
    .summary('bring an application up under a name, or resume what was interrupted')
    .description(
      'Brings an application up under a name and waits until it is healthy. Run again, it brings the deployment ' +
        'back to what the description says, or resumes an operation that was interrupted. Without a source it brings ' +
        'deployments back as they are recorded, after a restart of the machine for one.',
    );
  takeDeployOptions(command, '[source]')
    .option('--all', 'bring every deployment back as it is recorded, but those that were taken down')
    .addOption(new Option('--rollback', 'undo an unfinished operation instead of resuming it'))
    .option('--yes', 'do not ask before instances restart')
    .addHelpText(
      'after',
      example(
        'up applications/guestbook --as guestbook',
        'up applications/guestbook --as guestbook --expose edge.web=127.0.0.1:8080',
        'up applications/guestbook --as guestbook --set-file dbPassword=./password.txt',
        'up --as guestbook',
        'up --all',
      ),
    )
    .action((source: string | undefined, options: UpOptions) =>
      run('changes', async (host) => {
        if (options.all) return await upAll(host, source, options);
        const status = await upOne(host, source, options);
        if (status === null) {
          const name = requireName(options);
          if (host.isJson) host.printJson({ type: 'result', name, state: 'absent' });
          else host.print(`${name} is gone: the operation that made it is undone`);
        } else if (host.isJson) host.printJson({ type: 'result', ...status });
        else host.print(formatArrival(status, host));
        return 0;
      }),
    );
}

async function upOne(
  host: Host,
  source: string | undefined,
  options: UpOptions,
): Promise<DeploymentStatus | null> {
  const name = requireName(options);
  if (source === undefined) refuseInputs('without a source', options);
  const request = source === undefined ? undefined : await deployRequest(source, options, host);
  const engine = await host.engine(options);
  const rollback = options.rollback === true;
  if (request && host.isTerminal && host.stdin.isTTY && !options.yes && !rollback)
    await confirmRestarts(engine, request, host);
  const reporter = await startReporter(host, `up ${name}`);
  const call = { signal: host.signal, report: reporter.report };
  const act = async () => {
    if (rollback) return await engine.rollBack(name, call);
    return request ? await engine.up(request, call) : await engine.upRecorded(name, call);
  };
  return await act().finally(() => reporter.end());
}

async function upAll(host: Host, source: string | undefined, options: UpOptions): Promise<number> {
  if (source !== undefined || options.as !== undefined || options.rollback)
    throw new EngineError('USAGE_WRONG', '--all takes neither a source, a name nor --rollback', {
      hint: 'See "sheaf help up".',
    });
  refuseInputs('with --all', options);
  const engine = await host.engine();
  const reporter = await startReporter(host, 'up --all', { isMany: true });
  const deployments = await engine
    .upAll({ signal: host.signal, report: reporter.report })
    .finally(() => reporter.end());
  if (host.isJson) host.printJson({ type: 'result', deployments });
  else host.print(formatArrivals(deployments, host));
  return 0;
}

function refuseInputs(how: string, { pool, set, setFile, expose }: UpOptions): void {
  if ([pool, set, setFile, expose].every((given) => given === undefined)) return;
  throw new EngineError('USAGE_WRONG', `${how} nothing can be given: what is recorded counts`, {
    hint: 'Name the source to change something.',
  });
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
