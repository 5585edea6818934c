import type { PlacementEntry, PlanReport } from '../../engine/model/status.ts';
import type { Change, Step } from '../../engine/model/step.ts';
import type { Style } from './style.ts';
import { count, formatTable } from './table.ts';
import { visibleLine } from './visible.ts';

const changeWords: Readonly<Record<Change, string>> = {
  create: 'created',
  update: 'changed',
  replace: 'replaced',
  remove: 'removed',
};

/** Writes a plan for people: builds, steps, where instances go, what stops, and in red which data will be lost. */
export function formatPlan(report: PlanReport, style: Style): string {
  const { plan } = report;
  const unplaced = report.placement.filter((entry) => entry.server === null);
  return [
    style.bold(`plan of ${report.name}, generation ${plan.generation}`),
    ...section(
      'built first',
      report.builds.map((build) => [visibleLine(build)]),
    ),
    ...section(
      'steps',
      plan.steps.map((step) => [
        paintChange(step.change, style),
        step.kind,
        visibleLine(step.key),
        ...(step.kind === 'instance' && step.desired?.isHeld ? ['with stopped services'] : []),
      ]),
    ),
    ...section('placement', placementRows(report.placement)),
    ...unplaced.map((entry) => formatPlacement(entry, style)),
    ...(report.restarts.length > 0
      ? [style.yellow(`stops for a while: ${report.restarts.map(visibleLine).join(', ')}`)]
      : []),
    ...plan.losesData.map((key) => style.red(`DATA WILL BE LOST: ${visibleLine(key)}`)),
    summary(report),
  ].join('\n');
}

/** Writes why an instance goes where it goes, or why it can go nowhere. */
export function formatPlacement(entry: PlacementEntry, style: Style): string {
  const headline =
    entry.server === null
      ? style.red(`${visibleLine(entry.instance)} fits on no server`)
      : `${visibleLine(entry.instance)} goes to ${visibleLine(entry.server)} (score ${entry.score.toFixed(2)})`;
  const reasons = entry.rejected.map((rejection) => [
    `not ${visibleLine(rejection.server)}:`,
    visibleLine(rejection.reason),
  ]);
  return reasons.length > 0 ? `${headline}\n${formatTable(reasons, '  ')}` : headline;
}

function section(title: string, rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length > 0 ? [`${title}:`, formatTable(rows, '  ')] : [];
}

function placementRows(placement: readonly PlacementEntry[]): readonly (readonly string[])[] {
  return placement.flatMap((entry) =>
    entry.server === null ? [] : [[visibleLine(entry.instance), visibleLine(entry.server)]],
  );
}

function paintChange(change: Step['change'], style: Style): string {
  const paint = { create: style.green, update: style.yellow, replace: style.yellow, remove: style.red };
  return paint[change](change);
}

function summary({ plan, summary: counts, name }: PlanReport): string {
  if (plan.steps.length === 0) return `nothing to do: ${name} is as described`;
  const words = Object.entries(changeWords)
    .map(([change, word]) => ({ amount: counts[change as Change], word }))
    .filter(({ amount }) => amount > 0)
    .map(({ amount, word }) => `${amount} ${word}`);
  return `${count(plan.steps.length, 'step')}: ${words.join(', ')}`;
}
