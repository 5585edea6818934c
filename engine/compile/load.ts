import { EngineError } from '../errors.ts';
import type { Source } from '../model/source.ts';
import { hasErrors, type Problem } from '../problems.ts';
import { type ReadOptions, readSource } from '../read/read-source.ts';
import { checkTemplate } from '../render/check-template.ts';
import { type Compiled, compile } from './compile.ts';
import type { CompileInputs } from './settle-parameters.ts';

/** A source and what was made of it. */
export type Loaded = { readonly source: Source; readonly compiled: Compiled };

/**
 * Reads and compiles a description with everything that it uses.
 *
 * @param inputs - null to find problems only
 * @throws EngineError SOURCE_MISSING
 */
export async function load(
  path: string,
  inputs: CompileInputs | null,
  options: ReadOptions,
): Promise<Loaded> {
  const source = await readSource(path, options);
  return { source, compiled: compile(source, inputs, checkTemplate) };
}

/** Makes the error that stops work on a description with problems; they are in `details.problems`. */
export function inputInvalid(path: string, problems: readonly Problem[]): EngineError {
  const count = problems.filter((problem) => problem.severity === 'error').length;
  return new EngineError('INPUT_INVALID', `${path} has ${count} ${count === 1 ? 'problem' : 'problems'}`, {
    hint: 'Nothing was changed. Mend them and run the same command again.',
    details: { problems },
  });
}

/** Passes a description on that has no errors. @throws EngineError INPUT_INVALID */
export function requireSound(path: string, loaded: Loaded): Loaded {
  const { problems } = loaded.compiled;
  if (hasErrors(problems)) throw inputInvalid(path, problems);
  return loaded;
}
