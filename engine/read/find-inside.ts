import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { ProblemCode } from '../problem-table.ts';

/** An absolute path without symbolic links, or why the path as written is refused. */
export type InsideOutcome =
  | { readonly file: string }
  | { readonly code: ProblemCode; readonly message: string; readonly hint: string };

/**
 * Finds what a description's relative path leads to, and refuses what lies outside of the description's folder.
 *
 * @param folder - absolute
 * @param path - as somebody wrote it: nothing about it is believed
 */
export async function findInside(folder: string, path: string): Promise<InsideOutcome> {
  if (path.startsWith('/') || path.split(/[/\\]/).includes('..')) return outside(path);
  if (path.includes('\0')) return missing(path);
  try {
    const base = await realpath(folder);
    const file = await realpath(join(base, path));
    return file === base || file.startsWith(base + sep) ? { file } : outside(path);
  } catch {
    return missing(path);
  }
}

function outside(path: string): InsideOutcome {
  return {
    code: 'PATH_OUTSIDE',
    message: `${JSON.stringify(path)} leads out of this folder`,
    hint: 'Copy what is needed into the folder of this description and name it by a relative path.',
  };
}

function missing(path: string): InsideOutcome {
  return {
    code: 'FILE_MISSING',
    message: `${JSON.stringify(path)} does not exist`,
    hint: 'Add it or correct its name; the path counts from the folder of this description.',
  };
}
