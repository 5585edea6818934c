import type { Command } from 'commander';
import { EngineError } from '../../engine/errors.ts';
import type { PlanReport } from '../../engine/model/status.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatPlacement, formatPlan } from '../output/plan-text.ts';
import { reportWarnings } from '../output/reporter.ts';
import { type DeployOptions, deployRequest, takeDeployOptions } from './deploy-options.ts';

/** Adds `plan`: what `up` would do, and why. */
export function addPlan(program: Command, run: RunVerb): void {
  const command = program
    .command('plan')
    .summary('show what up would do, and which data would be lost')
    .description(
      'Shows what `up` would create, change and stop, and which data would be lost. Changes nothing.',
    );
  takeDeployOptions(command, '<source>')
    .option('--why <instance>', 'tell why this instance goes where it goes')
    .addHelpText('after', example('plan applications/guestbook --as guestbook --why web.1'))
    .action((source: string, options: DeployOptions & { why?: string }) =>
      run('reads', async (host) => {
        const request = await deployRequest(source, options, host);
        const report = await (await host.engine(options)).plan(request, {
          signal: host.signal,
          report: reportWarnings(host),
        });
        const why = options.why === undefined ? undefined : placementOf(report, options.why);
        if (host.isJson) host.printJson(report);
        else host.print(why ? formatPlacement(why, host.style) : formatPlan(report, host.style));
        return 0;
      }),
    );
}

function placementOf(report: PlanReport, instance: string): PlanReport['placement'][number] {
  const entry = report.placement.find((candidate) => candidate.instance === instance);
  if (entry) return entry;
  throw new EngineError('INSTANCE_MISSING', `the plan places no instance ${instance}`, {
    hint: `It places ${report.placement.map((candidate) => candidate.instance).join(', ') || 'none'}.`,
    details: { instance },
  });
}
