import { readFile } from 'node:fs/promises';
import { EngineError } from '../engine/errors.ts';
import { descriptionLimits, parseYaml } from '../engine/formats/parse-yaml.ts';
import { checkSchema } from '../engine/formats/schema.ts';
import { findPlaces } from '../engine/formats/yaml-places.ts';
import { type ProblemCode, problemTable } from '../engine/problem-table.ts';
import { type Problem, sortProblems } from '../engine/problems.ts';
import { systemCode } from '../engine/system-code.ts';

const limits = { ...descriptionLimits, maxBytes: 2 ** 20 };

/**
 * Reads a file of settings that its schema must allow.
 *
 * @returns undefined when there is no such file
 * @throws EngineError INPUT_INVALID with every problem in `details.problems`
 */
export async function readSettings(file: string, schema: 'trust' | 'catalogs'): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')) return undefined;
    throw cause;
  });
  if (text === undefined) return undefined;
  const { value, problems } = parseYaml(text, limits);
  if (problems.length > 0)
    throw invalid(
      file,
      problems.map((problem) => located(file, problem)),
    );
  const faults = checkSchema(schema, value);
  if (faults.length === 0) return value;
  const places = findPlaces(text, faults, limits.maxDepth);
  throw invalid(
    file,
    faults.map((fault, index) => located(file, { line: 1, column: 1, ...places[index], ...fault })),
  );
}

type Fault = Pick<Problem, 'line' | 'column' | 'message' | 'hint'> & { readonly code: ProblemCode };

function located(file: string, { code, line, column, message, hint }: Fault): Problem {
  const { severity } = problemTable[code];
  return { file, line, column, code, severity, message, ...(hint !== undefined && { hint }) };
}

function invalid(file: string, problems: readonly Problem[]): EngineError {
  const count = problems.length;
  return new EngineError('INPUT_INVALID', `${file} has ${count} ${count === 1 ? 'problem' : 'problems'}`, {
    hint: 'Mend them and run the same command again.',
    details: { problems: sortProblems(problems) },
  });
}
