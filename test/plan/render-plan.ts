import type { Plan } from '../../engine/model/step.ts';

/**
 * Writes a plan as canonical text: one line a step with its number, change, kind, key and the steps it waits for.
 *
 * Equal plans have equal texts, so tests and people can compare them line by line.
 */
export function renderPlan(plan: Plan): string {
  const lines = plan.steps.map((step) => {
    const after = step.after.length === 0 ? '' : ` after ${step.after.join(' ')}`;
    return `${step.id} ${step.change} ${step.kind} ${step.key}${after}`;
  });
  const losses = plan.losesData.map((volume) => `loses the data of ${volume}`);
  if (lines.length === 0) lines.push('nothing to do');
  return `${[...lines, ...losses].join('\n')}\n`;
}
