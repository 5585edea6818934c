import { basename, join, relative } from 'node:path';
import { descriptionLimits, parseYaml } from '../formats/parse-yaml.ts';
import { checkSchema } from '../formats/schema.ts';
import type { FileText, Finding } from '../model/finding.ts';
import type { Lock } from '../model/lock.ts';
import { readText } from './read-text.ts';

/** The name of the lock, which stands beside its application's description. */
export const lockFile = 'sheaf.lock';

/** A lock, null when there is none or no good one, and what is wrong with it. */
export type LockOutcome = {
  readonly lock: { readonly text: FileText; readonly lock: Lock } | null;
  readonly findings: readonly Finding[];
};

/**
 * Reads the lock of a folder.
 *
 * @param folder - absolute
 * @param workingDirectory - files in findings are relative to it
 */
export async function readLock(folder: string, workingDirectory: string): Promise<LockOutcome> {
  const file = join(folder, lockFile);
  const name = relative(workingDirectory, file) || basename(file);
  const outcome = await readText(file, descriptionLimits.maxBytes);
  if ('code' in outcome) {
    if (outcome.code === 'FILE_MISSING') return { lock: null, findings: [] };
    const { code, message, hint } = outcome;
    return {
      lock: null,
      findings: [{ code, at: { file: name, line: 1, column: 1 }, message: `the lock ${message}`, hint }],
    };
  }
  const text: FileText = { file: name, text: outcome.text };
  const { value, problems } = parseYaml(outcome.text, descriptionLimits);
  if (problems.length > 0) {
    const findings = problems.map(({ code, line, column, message }) => ({
      code,
      at: { file: name, line, column },
      message,
      hint: rewriteHint,
    }));
    return { lock: null, findings };
  }
  const faults = checkSchema('lock', value);
  if (faults.length > 0) {
    const findings = faults.map(
      ({ code, path, part, message }): Finding => ({
        code,
        at: { text, path, part },
        message,
        hint: rewriteHint,
      }),
    );
    return { lock: null, findings };
  }
  return { lock: { text, lock: value as Lock }, findings: [] };
}

const rewriteHint = 'The lock is written by sheaf lock: remove it and have it written again.';
