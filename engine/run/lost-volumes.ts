import type { Plan } from '../model/step.ts';
import type { RunContext } from './context.ts';

/** Warns of data volumes that were there once and are made anew, because they are empty then. */
export function warnOfLostVolumes({ report }: Pick<RunContext, 'report'>, plan: Plan): void {
  for (const step of plan.steps) {
    const isNew = step.kind === 'volume' && step.change === 'create' && step.before !== null;
    if (!isNew || step.action !== 'ensure' || step.desired.kind !== 'data') continue;
    report({
      type: 'warning',
      code: 'NOTE',
      message: `the data of ${step.key} is gone; the volume is made anew and is empty`,
      hint: 'Stop now and look for it, if that is not what you expect.',
    });
  }
}
