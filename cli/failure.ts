import { exitCodeOf } from '../engine/errors.ts';
import type { OutputStream } from './host.ts';
import { asEngineError, errorJson, formatError, problemsOf } from './output/error-text.ts';
import type { Style } from './output/style.ts';

/** Where a failure is written, and how. */
export type FailureTarget = {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly isJson: boolean;
  /** Colours for standard error. */
  readonly style: Style;
  readonly folder: string;
};

/**
 * Writes what was thrown: JSON to standard output, or text with all problems to standard error.
 *
 * @returns the exit code that belongs to it
 */
export async function reportFailure(thrown: unknown, target: FailureTarget): Promise<number> {
  const error = asEngineError(thrown);
  const problems = problemsOf(error);
  if (target.isJson) {
    const { relativeTo } = await import('./output/problem-text.ts');
    const shown = errorJson(error);
    const details = { ...error.details, problems: relativeTo(target.folder, problems) };
    const body = problems.length > 0 ? { error: { ...shown.error, details } } : shown;
    target.stdout.write(`${JSON.stringify(body)}\n`);
    return exitCodeOf(error);
  }
  if (problems.length > 0) {
    const { formatProblems } = await import('./output/problem-text.ts');
    const withSource = target.stderr.isTTY === true;
    target.stderr.write(`${await formatProblems(problems, { ...target, withSource })}\n`);
  }
  target.stderr.write(`${formatError(error, target.style)}\n`);
  return exitCodeOf(error);
}
