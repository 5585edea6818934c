import { EngineError } from '../errors.ts';
import type { OperationError } from '../model/store.ts';
import { systemFailure } from '../system-failure.ts';

/** Turns what an act threw into an EngineError; an unknown error is a mistake of ours. */
export function asEngineError(cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const refused = systemFailure(cause);
  if (refused !== undefined) return refused;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new EngineError('INTERNAL_ERROR', message, { cause });
}

/** Tells what of an error may be written down. */
export function operationError(error: EngineError): OperationError {
  return { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
}

/** Makes the error of an operation that was stopped on request. @param isUndoable - it left something that a rollback takes back */
export function interrupted(name: string, isUndoable: boolean): EngineError {
  const undo = isUndoable ? ', or `up` with --rollback to undo it' : '';
  return new EngineError('OPERATION_INTERRUPTED', `the operation on ${name} was stopped on request`, {
    hint: `Run the same command again to go on${undo}.`,
  });
}

/**
 * Takes secrets out of an error before it is shown or written down; a tool may have quoted a file that it was given.
 *
 * @param secrets - shorter ones than six characters are passed over, as they would be found in innocent words
 */
export function withoutSecrets(error: EngineError, secrets: Iterable<string>): EngineError {
  const told = [...secrets].filter((secret) => secret.length >= 6);
  const clean = (text: string): string =>
    told.reduce((rest, secret) => rest.replaceAll(secret, '(secret)'), text);
  const details = JSON.stringify(error.details);
  if (
    clean(`${error.message}${error.hint ?? ''}${details}`) === `${error.message}${error.hint ?? ''}${details}`
  ) {
    return error;
  }
  return new EngineError(error.code, clean(error.message), {
    ...(error.hint !== undefined && { hint: clean(error.hint) }),
  });
}
