import type { Diagnosis } from '../../engine/model/diagnosis.ts';
import type { Style } from './style.ts';
import { formatTable } from './table.ts';
import { visibleLine } from './visible.ts';

/** Writes what was found on this machine: a line each, and below it what to do. */
export function formatDiagnoses(diagnoses: readonly Diagnosis[], style: Style): string {
  const colours = { good: style.green, limited: style.yellow, failed: style.red } as const;
  const heads = formatTable(
    diagnoses.map(({ state, name, message }) => [colours[state](state), name, visibleLine(message)]),
  ).split('\n');
  return diagnoses
    .flatMap(({ hint }, index) => [
      heads[index] ?? '',
      ...(hint === undefined ? [] : [`  hint: ${visibleLine(hint)}`]),
    ])
    .join('\n');
}
