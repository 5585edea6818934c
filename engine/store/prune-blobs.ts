import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Digest, isDigest } from '../digest.ts';
import type { Pruned, PruneLimits } from '../model/pruned.ts';
import { systemCode } from '../system-code.ts';
import { deploymentTexts, digestsIn, unfinishedTexts } from './named-digests.ts';

/** What is pruned, and how far. */
export type PruneBlobsRequest = PruneLimits & {
  /** Of the state. */
  readonly database: string;
  /** Of the blobs, as `openBlobs` takes it. */
  readonly folder: string;
  /** Folder of this process for unfinished files, on the same file system. */
  readonly scratch: string;
  readonly signal: AbortSignal;
};

type Stored = { readonly size: number; readonly usedAt: number };

/** Manifests, configurations and packing lists are smaller; what is larger names nothing. */
const largestListBytes = 8 * 2 ** 20;
const lockTimeoutMs = 15_000;

/**
 * Removes blobs that no deployment, no unfinished operation and no name needs, and that nobody has used of late.
 *
 * Safe while others work: whoever finds a blob marks it as used, and what was used meanwhile is put back. A name goes before
 * what it names.
 *
 * @returns what went, names not counted
 */
export async function pruneBlobs(request: PruneBlobsRequest): Promise<Pruned> {
  const { unnamedSince, isTrial, scratch, signal } = request;
  const shelf = join(request.folder, 'sha256');
  const stored = await listStored(shelf);
  const needed = await reachable(shelf, stored, await settleNames(request, shelf, stored));
  let count = 0;
  let bytes = 0;
  for (const [digest, { size, usedAt }] of stored) {
    if (signal.aborted) break;
    if (needed.has(digest) || usedAt >= unnamedSince) continue;
    if (!isTrial && !(await removeUnused(pathOf(shelf, digest), join(scratch, hexOf(digest)), unnamedSince)))
      continue;
    count += 1;
    bytes += size;
  }
  return { count, bytes };
}

/** Forgets names that were not used since the limit. @returns the digests from which all that is needed can be reached */
async function settleNames(
  { database, unusedSince, isTrial }: PruneBlobsRequest,
  shelf: string,
  stored: ReadonlyMap<Digest, Stored>,
): Promise<readonly Digest[]> {
  const records = new DatabaseSync(database, { timeout: lockTimeoutMs });
  try {
    const texts = [...deploymentTexts(records), ...unfinishedTexts(records)];
    const deployed = texts.flatMap(digestsIn);
    const names = records.prepare('SELECT name, digest FROM refs').all();
    if (unusedSince === undefined)
      return [...deployed, ...names.flatMap(({ digest }) => digestsIn(String(digest)))];
    const needed = await reachable(shelf, stored, deployed);
    const kept: Digest[] = [...deployed];
    for (const { name, digest: text } of names) {
      const [digest] = digestsIn(String(text));
      const found = digest && stored.get(digest);
      if (digest && (needed.has(digest) || (found && found.usedAt >= unusedSince))) kept.push(digest);
      else if (!isTrial)
        records.prepare('DELETE FROM refs WHERE name = ? AND digest = ?').run(name ?? '', text ?? '');
    }
    return kept;
  } finally {
    records.close();
  }
}

/** Follows the digests that stand in stored lists of things, such as manifests. */
async function reachable(
  shelf: string,
  stored: ReadonlyMap<Digest, Stored>,
  roots: readonly Digest[],
): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  for (const open = [...roots]; ; ) {
    const digest = open.pop();
    if (digest === undefined) return found;
    const blob = stored.get(digest);
    if (blob === undefined || found.has(digest)) continue;
    found.add(digest);
    if (blob.size <= largestListBytes) open.push(...(await namedBy(pathOf(shelf, digest))));
  }
}

async function namedBy(path: string): Promise<readonly Digest[]> {
  const file = await open(path).catch(orNone);
  if (file === undefined) return [];
  try {
    const start = Buffer.alloc(1);
    await file.read(start, 0, 1, 0);
    return start.toString() === '{' ? digestsIn((await file.readFile()).toString('latin1')) : [];
  } finally {
    await file.close();
  }
}

async function listStored(shelf: string): Promise<ReadonlyMap<Digest, Stored>> {
  const stored = new Map<Digest, Stored>();
  for (const name of await readdir(shelf)) {
    const digest = `sha256:${name}`;
    const facts = isDigest(digest) ? await stat(join(shelf, name)).catch(orNone) : undefined;
    if (isDigest(digest) && facts?.isFile()) stored.set(digest, { size: facts.size, usedAt: facts.ctimeMs });
  }
  return stored;
}

/**
 * Takes a file away, and puts it back when somebody has used it since it was looked at.
 *
 * @returns whether it is gone
 */
async function removeUnused(path: string, aside: string, unusedSince: number): Promise<boolean> {
  const before = await stat(path).catch(orNone);
  if (before === undefined || before.ctimeMs >= unusedSince) return false;
  await rename(path, aside);
  // renaming changes the time of change, but not the one that a user sets
  const after = await stat(aside);
  if (after.mtimeMs !== before.mtimeMs) {
    await rename(aside, path);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}

function orNone(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return undefined;
  throw error;
}

function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

function pathOf(shelf: string, digest: Digest): string {
  return join(shelf, hexOf(digest));
}
