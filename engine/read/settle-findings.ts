import { descriptionLimits } from '../formats/parse-yaml.ts';
import { findPlaces } from '../formats/yaml-places.ts';
import type { FileText, Finding, Spot } from '../model/finding.ts';
import { problemTable } from '../problem-table.ts';
import { type Place, type Problem, sortProblems } from '../problems.ts';

/** How many problems are shown at most; hostile input can have millions. */
export const maxProblems = 1000;

/**
 * Turns findings into problems: looks their places up, gives each its severity, sorts them by place and leaves out
 * repetitions.
 *
 * @returns at most {@link maxProblems}, and one more that says so when there are others
 * Cost: parses each text in which something was found once more; nothing when there are no findings.
 */
export function settleFindings(findings: readonly Finding[]): readonly Problem[] {
  const shown = findings.slice(0, maxProblems);
  const byText = new Map<FileText, Spot[]>();
  for (const { at } of shown) {
    if (!('text' in at)) continue;
    const spots = byText.get(at.text) ?? [];
    spots.push(at);
    byText.set(at.text, spots);
  }
  const places = new Map<Spot, Place>();
  for (const [text, spots] of byText) {
    const found = findPlaces(text.text, spots, descriptionLimits.maxDepth);
    spots.forEach((spot, index) => {
      places.set(spot, { file: text.file, ...(found[index] ?? { line: 1, column: 1 }) });
    });
  }
  const problems = shown.map(
    ({ code, at, message, hint }): Problem => ({
      ...('text' in at ? (places.get(at) ?? { file: at.text.file, line: 1, column: 1 }) : at),
      code,
      severity: problemTable[code].severity,
      message,
      ...(hint !== undefined && { hint }),
    }),
  );
  const sorted = sortProblems(problems);
  const distinct = sorted.filter((problem, index) => !isSame(problem, sorted[index - 1]));
  return findings.length > maxProblems ? [...distinct, omittedAfter(distinct)] : distinct;
}

function isSame(a: Problem, b: Problem | undefined): boolean {
  return (
    b !== undefined &&
    a.file === b.file &&
    a.line === b.line &&
    a.column === b.column &&
    a.code === b.code &&
    a.message === b.message
  );
}

function omittedAfter(problems: readonly Problem[]): Problem {
  const last = problems.at(-1);
  return {
    file: last?.file ?? '',
    line: last?.line ?? 1,
    column: last?.column ?? 1,
    code: 'PROBLEMS_OMITTED',
    severity: 'error',
    message: `there are more than ${maxProblems} problems; the others are not shown`,
    hint: 'Mend these first.',
  };
}
