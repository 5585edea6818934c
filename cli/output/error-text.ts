import { EngineError } from '../../engine/errors.ts';
import type { Problem } from '../../engine/problems.ts';
import { systemFailure } from '../../engine/system-failure.ts';
import type { Style } from './style.ts';
import { visible, visibleLine } from './visible.ts';

/** Turns whatever was thrown into an error of the table; what is none is a mistake of ours. */
export function asEngineError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const refused = systemFailure(thrown);
  if (refused !== undefined) return refused;
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new EngineError('INTERNAL_ERROR', message, {
    hint: 'This is a mistake of Sheaf. Please report it with what you typed and the lines above.',
    cause: thrown,
  });
}

/** Writes an error for people; a mistake of ours with where it happened. Its problems are written by `formatProblems`. */
export function formatError(error: EngineError, style: Style): string {
  const lines = [`${style.red('error')} ${error.code}: ${visible(error.message)}`];
  if (error.code === 'INTERNAL_ERROR' && error.cause instanceof Error && error.cause.stack)
    lines.unshift(style.dim(visible(error.cause.stack)));
  if (error.hint) lines.push(`  ${style.cyan('hint:')} ${visibleLine(error.hint)}`);
  return lines.join('\n');
}

/** Gives the error as the contract says: `{error: {code, message, hint, details}}`. */
export function errorJson(error: EngineError): { readonly error: Readonly<Record<string, unknown>> } {
  const { code, message, hint, details } = error;
  return { error: { code, message, ...(hint !== undefined && { hint }), details } };
}

/** Gives the problems that an INPUT_INVALID carries; none for other errors. */
export function problemsOf(error: EngineError): readonly Problem[] {
  const problems = error.code === 'INPUT_INVALID' ? error.details['problems'] : undefined;
  return Array.isArray(problems) ? (problems as readonly Problem[]) : [];
}
