import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orDiskFull } from '../../disk-full.ts';
import { settle } from '../../whole-file.ts';
import type { DriverContext } from './context.ts';
import { exists } from './disks.ts';

/**
 * Makes the attendant executable outside the blob store, whose files nobody may run.
 *
 * It runs with all our rights, so it is this installation's own, never the one that a kit names: kits come in bundles.
 *
 * @returns its path
 * @throws EngineError TOOL_MISSING when it is neither stored nor can be compiled; BLOB_CORRUPT, DISK_FULL
 */
export async function ensureAttendant(
  context: Pick<DriverContext, 'layout' | 'blobs' | 'drafts' | 'attendant'>,
  signal: AbortSignal,
): Promise<string> {
  const { digest } = await context.attendant(signal);
  const path = join(context.layout.programs, `attendant-${digest.slice('sha256:'.length)}`);
  if (await exists(path)) return path;
  const draft = join(context.drafts, `attendant-${crypto.randomUUID()}`);
  try {
    await writeFile(draft, await context.blobs.read(digest), { mode: 0o500, flag: 'wx' });
    await settle(draft, path);
  } catch (error) {
    throw orDiskFull(error, context.drafts);
  } finally {
    await rm(draft, { force: true });
  }
  return path;
}
