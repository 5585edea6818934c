/** A place in a file; line and column count from 1, columns in UTF-16 units. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };

/** One finding about somebody's input. Problems are collected and shown together, never thrown. */
export type Problem = Place & {
  /** From the table in `engine/problem-table.ts`, NOUN_STATE. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** What is wrong. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
};

/** Tells whether anything in the list forbids going on. */
export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** Puts problems in reading order: by file, line, column, then code. Returns a new list. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted(
    (a, b) =>
      compareText(a.file, b.file) || a.line - b.line || a.column - b.column || compareText(a.code, b.code),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
