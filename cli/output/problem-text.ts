import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import stringWidth from 'string-width';
import type { Problem } from '../../engine/problems.ts';
import type { Style } from './style.ts';
import { count } from './table.ts';
import { visible, visibleLine } from './visible.ts';

/** Gives problems with their files relative to the working folder, as the contract of `check --json` says. */
export function relativeTo(folder: string, problems: readonly Problem[]): readonly Problem[] {
  return problems.map((problem) =>
    isAbsolute(problem.file) ? { ...problem, file: relative(folder, problem.file) || '.' } : problem,
  );
}

/**
 * Writes all problems for people, ending in a line that counts them.
 *
 * @param problems - files absolute or relative to `folder`
 * @param withSource - whether the line of the file and a caret are shown; a file that cannot be read is shown without
 */
export async function formatProblems(
  problems: readonly Problem[],
  options: { readonly folder: string; readonly style: Style; readonly withSource: boolean },
): Promise<string> {
  const { folder, style, withSource } = options;
  const sources = new Map<string, readonly string[]>();
  const parts: string[] = [];
  for (const problem of relativeTo(folder, problems)) {
    const severity = problem.severity === 'error' ? style.red('error') : style.yellow('warning');
    const place = `${visibleLine(problem.file)}:${problem.line}:${problem.column}`;
    parts.push(`${style.bold(place)}: ${severity} ${problem.code}: ${visibleLine(problem.message)}`);
    if (withSource) {
      const file = resolve(folder, problem.file);
      const lines = sources.get(file) ?? (await readLines(file));
      sources.set(file, lines);
      parts.push(...excerpt(lines[problem.line - 1], problem, style));
    }
    if (problem.hint) parts.push(`  ${style.cyan('hint:')} ${visibleLine(problem.hint)}`);
    if (withSource) parts.push('');
  }
  return [...parts, summary(problems)].join('\n');
}

function summary(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  if (warnings === 0) return count(errors, 'error');
  return errors === 0
    ? count(warnings, 'warning')
    : `${count(errors, 'error')}, ${count(warnings, 'warning')}`;
}

const excerptColumns = 100;

function excerpt(line: string | undefined, problem: Problem, style: Style): readonly string[] {
  if (line === undefined || line.trim() === '') return [];
  const from = Math.max(0, problem.column - 1 - Math.floor(excerptColumns / 2));
  // Shown as text first and measured then, so that the caret stands right below wide and hidden characters too.
  const shown = visibleTabs(line.slice(from, from + excerptColumns));
  const before = visibleTabs(line.slice(from, problem.column - 1));
  const margin = `${String(problem.line).padStart(5)} | `;
  return [
    `${style.dim(margin)}${shown}`,
    `${' '.repeat(margin.length + stringWidth(before))}${style.red('^')}`,
  ];
}

function visibleTabs(text: string): string {
  return visible(text.replaceAll('\t', ' '));
}

const sourceLimitBytes = 4 * 2 ** 20;

async function readLines(file: string): Promise<readonly string[]> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || found.size > sourceLimitBytes) return [];
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split(/\r\n|\n|\r/);
}
