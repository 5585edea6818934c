import { readdir, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Pruned, PruneLimits } from '../../model/pruned.ts';
import { systemCode } from '../../system-code.ts';
import type { DriverContext } from './context.ts';
import { diskSources } from './disk-source.ts';
import { diskPath } from './layout.ts';
import { listFolder, listRecords } from './record.ts';

const markedAgainMs = 60_000;

/**
 * Removes disks of image layers that no deployment has and nobody used since the limit; they are made again of their layers.
 *
 * A machine that runs from a removed disk has it open and is not disturbed. Empty runtime folders of other homes go too.
 */
export async function pruneDisks(
  { layout }: Pick<DriverContext, 'layout'>,
  { unnamedSince, isTrial }: PruneLimits,
): Promise<Pruned> {
  const needed = new Set<string>();
  for (const deployment of await listFolder(layout.deployments))
    for (const { state } of await listRecords(layout, deployment, 'image'))
      for (const { digest } of diskSources(state)) needed.add(diskPath(layout, digest));
  let count = 0;
  let bytes = 0;
  for (const name of await listFolder(layout.disks)) {
    const path = join(layout.disks, name);
    const facts = needed.has(path) ? undefined : await stat(path).catch(orNone);
    if (facts === undefined || facts.ctimeMs >= unnamedSince) continue;
    if (!isTrial) await rm(path, { force: true });
    count += 1;
    bytes += facts.size;
  }
  // settings give each home a folder of its own in the one of all
  if (!isTrial) await sweepRuntime(dirname(dirname(layout.runtime)), unnamedSince);
  return { count, bytes };
}

/** Marks a disk as used, so that nobody prunes it before its deployment is recorded. */
export async function markUsed(path: string): Promise<void> {
  const now = Date.now();
  const facts = await stat(path).catch(orNone);
  if (facts !== undefined && now - facts.ctimeMs >= markedAgainMs)
    await utimes(path, now / 1000, now / 1000).catch(orNone);
}

/** Removes folders of homes in which nothing runs, as killed programs leave them. */
async function sweepRuntime(root: string, since: number): Promise<void> {
  for (const home of await listFolder(root)) {
    if (!/^[0-9a-f]{8}$/.test(home)) continue;
    const folder = join(root, home);
    for (const driver of await readdir(folder).catch(() => []))
      await removeIfEmpty(join(folder, driver), since);
    await removeIfEmpty(folder, since);
  }
}

async function removeIfEmpty(folder: string, since: number): Promise<void> {
  const facts = await stat(folder).catch(orNone);
  if (facts === undefined || facts.mtimeMs >= since) return;
  await rmdir(folder).catch((error: unknown) => {
    if (!['ENOENT', 'ENOTDIR', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error;
  });
}

function orNone(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return undefined;
  throw error;
}
