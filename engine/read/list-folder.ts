import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import { type ContentEntry, contentDigest } from '../model/content-listing.ts';
import type { ProblemCode } from '../problem-table.ts';
import { systemCode } from '../system-code.ts';

/** The canonical listing of a content folder, or the first thing in it that content may not hold. */
export type FolderOutcome =
  | { readonly entries: readonly ContentEntry[]; readonly digest: Digest }
  | { readonly code: ProblemCode; readonly message: string; readonly hint: string };

const maxEntries = 100_000;

/**
 * Lists a folder of content and digests its files.
 *
 * Takes regular files, folders and symbolic links that stay inside; owners, times and all of the mode but the
 * owner's executable bit do not count. Entries are sorted by path in code-unit order.
 *
 * @param folder - absolute, without symbolic links
 * @throws EngineError OPERATION_INTERRUPTED
 * Cost: reads every byte once; memory grows with the number of entries only.
 */
export async function listFolder(folder: string, signal?: AbortSignal): Promise<FolderOutcome> {
  const entries: ContentEntry[] = [];
  const waiting = [''];
  try {
    for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
      const names = await readdir(join(folder, parent));
      for (const name of names) {
        if (signal?.aborted) {
          throw new EngineError('OPERATION_INTERRUPTED', 'reading content was stopped', {
            cause: signal.reason,
          });
        }
        const path = parent === '' ? name : `${parent}/${name}`;
        const entry = await entryOf(folder, path);
        if ('code' in entry) return entry;
        entries.push(entry);
        if (entries.length > maxEntries)
          return unfit(`holds more than ${maxEntries} files`, 'Leave out what is not needed.');
        if (entry.kind === 'folder') waiting.push(path);
      }
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const code = systemCode(error) ?? 'unknown error';
    if (code === 'ENOTDIR') return unfit('is not a folder', 'Name a folder.');
    return unfit(`cannot be read (${code})`, 'Look at its permissions.');
  }
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { entries, digest: contentDigest(entries) };
}

async function entryOf(
  folder: string,
  path: string,
): Promise<ContentEntry | Exclude<FolderOutcome, { readonly entries: unknown }>> {
  const shown = JSON.stringify(path);
  // Names that are not UTF-8 come with replacement characters, and would not be found again.
  if (/[\p{Cc}\ufffd\\]/u.test(path)) {
    return unfit(`holds ${shown}, whose name cannot be packed`, 'Rename it.');
  }
  const file = join(folder, path);
  const facts = await lstat(file);
  if (facts.isDirectory()) return { path, kind: 'folder' };
  if (facts.isSymbolicLink()) {
    const target = await readlink(file);
    const end = posix.normalize(posix.join(posix.dirname(path), target));
    if (target.startsWith('/') || end === '..' || end.startsWith('../')) {
      return {
        code: 'PATH_OUTSIDE',
        message: `holds the symbolic link ${shown}, which leads out of the folder`,
        hint: 'Copy its target into the folder, or make the link relative.',
      };
    }
    return { path, kind: 'link', target };
  }
  if (!facts.isFile()) {
    return unfit(`holds ${shown}, which is no file, folder or symbolic link`, 'Remove it.');
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const isExecutable = (facts.mode & 0o100) !== 0;
  return { path, kind: 'file', isExecutable, size: facts.size, digest: `sha256:${hash.digest('hex')}` };
}

function unfit(message: string, hint: string): Exclude<FolderOutcome, { readonly entries: unknown }> {
  return { code: 'FILE_UNFIT', message, hint };
}
