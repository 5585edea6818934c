import { createReadStream } from 'node:fs';
import { join, posix, relative } from 'node:path';
import type { Finding } from '../model/finding.ts';
import type { Problem } from '../problems.ts';
import { listFolder } from '../read/list-folder.ts';
import { readText } from '../read/read-text.ts';
import { settleFindings } from '../read/settle-findings.ts';
import type { SourceFiles } from './files-to-pack.ts';
import { isSecretName, longestMatch, secretRules } from './secret-rules.ts';

/** The file beside a description that names what may be packed although it looks like a secret. */
export const allowFile = '.sheafallow';

/** What is searched. */
export type ScanRequest = {
  readonly files: SourceFiles;
  /** Of the source's description, absolute. */
  readonly folder: string;
  /** Files in problems are named relative to it. */
  readonly workingDirectory: string;
  readonly signal: AbortSignal;
};

/** One line of {@link allowFile}. */
type Allowance = { readonly glob: string; readonly rule: string | undefined };

/**
 * Finds what looks like a secret in everything that would be packed. What is found is never repeated in a message.
 *
 * @returns problems SECRET_FOUND, by file and line
 * Cost: reads every byte of content once; memory does not grow with it.
 */
export async function scanSecrets(request: ScanRequest): Promise<readonly Problem[]> {
  const { files, folder, workingDirectory, signal } = request;
  const allowed = await readAllowances(folder);
  const findings: Finding[] = [];
  const scan = async (
    path: string,
    shown: string,
    open: () => AsyncIterable<string> | Iterable<string>,
  ): Promise<void> => {
    const found = isSecretName(posix.basename(path))
      ? [{ rule: 'file-name', line: 1, column: 1 }]
      : await searchText(open());
    for (const { rule, line, column } of found) {
      if (allowed.some((each) => posix.matchesGlob(path, each.glob) && (each.rule ?? rule) === rule))
        continue;
      findings.push({
        code: 'SECRET_FOUND',
        at: { file: shown, line, column },
        message: `this looks like a secret (${rule})`,
        hint: `Take it out and make it a secret parameter. If it is none, add this line to ${allowFile}: ${path} ${rule}`,
      });
    }
  };
  for (const [path, { text, shown }] of files.files) await scan(path, shown, () => [text]);
  for (const [path, place] of files.folders) {
    const listing = await listFolder(place, signal);
    if ('code' in listing) continue; // told when it is packed
    for (const entry of listing.entries) {
      if (entry.kind !== 'file') continue;
      const file = join(place, entry.path);
      const shown = relative(workingDirectory, file);
      await scan(posix.join(path, entry.path), shown, () =>
        createReadStream(file, { encoding: 'latin1', highWaterMark: 2 ** 18 }),
      );
    }
  }
  return settleFindings(findings);
}

type Match = { readonly rule: string; readonly line: number; readonly column: number };

/** Searches a text that comes in pieces; a match may lie across two of them. */
async function searchText(content: AsyncIterable<string> | Iterable<string>): Promise<readonly Match[]> {
  const found = new Map<string, Match>();
  let kept = '';
  let linesBefore = 0;
  for await (const piece of content) {
    const text = kept + piece;
    for (const { name, pattern, isSecret } of secretRules) {
      for (const match of text.matchAll(pattern)) {
        if (isSecret !== undefined && !isSecret(match[1] ?? match[0])) continue;
        const before = text.slice(0, match.index);
        const line = linesBefore + before.split('\n').length;
        const column = match.index - before.lastIndexOf('\n');
        if (!found.has(`${name} ${line}`)) found.set(`${name} ${line}`, { rule: name, line, column });
      }
    }
    // cut at a line's end where there is one, so that columns stay true
    const least = Math.max(0, text.length - longestMatch);
    const cut = Math.max(text.lastIndexOf('\n', least) + 1, least - longestMatch, 0);
    linesBefore += text.slice(0, cut).split('\n').length - 1;
    kept = text.slice(cut);
  }
  return [...found.values()];
}

async function readAllowances(folder: string): Promise<readonly Allowance[]> {
  const outcome = await readText(join(folder, allowFile), 2 ** 20);
  if ('code' in outcome) return [];
  return outcome.text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [glob = '', rule] = line.split(/\s+/);
      return { glob, rule };
    });
}
