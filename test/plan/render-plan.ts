import type { Plan } from '../../engine/model/step.ts';

/**
 * Writes a plan as canonical text: one line a step with its number, change, kind, key, the steps it waits for, and the
 * instances that must be healthy before.
 *
 * Equal plans have equal texts, so tests and people can compare them line by line.
 */
export function renderPlan(plan: Plan): string {
  const lines = plan.steps.map((step) => {
    const after = step.after.length === 0 ? '' : ` after ${step.after.join(' ')}`;
    const gate = step.onceHealthy === undefined ? '' : ` once ${step.onceHealthy.join(' ')} healthy`;
    return `${step.id} ${step.change} ${step.kind} ${step.key}${after}${gate}`;
  });
  const losses = plan.losesData.map((volume) => `loses the data of ${volume}`);
  if (lines.length === 0) lines.push('nothing to do');
  return `${[...lines, ...losses].join('\n')}\n`;
}
