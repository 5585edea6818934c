import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExitState } from '../../model/step.ts';
import { type Detached, spawnDetached } from './launch.ts';
import { type Layout, objectPath } from './layout.ts';

/** Gives the folder of a way out's attendant, in which it tells what it refused. */
export function uplinkLogFolder(layout: Layout, deployment: string, endpoint: string): string {
  return objectPath(layout, deployment, 'endpoint', endpoint, '.log');
}

/** Gives the newest part of that log; older ones have `.1` … appended. */
export function uplinkLogFile(layout: Layout, deployment: string, endpoint: string): string {
  return join(uplinkLogFolder(layout, deployment, endpoint), 'log');
}

/** Removes what a way out has told; its attendant is gone. */
export async function removeUplinkLog(layout: Layout, deployment: string, endpoint: string): Promise<void> {
  await rm(uplinkLogFolder(layout, deployment, endpoint), { recursive: true, force: true });
}

/**
 * Starts the attendant that lets the listed names, and nothing else, out of a deployment's network.
 *
 * It listens there and lives in the network of this process. What may pass goes through a pipe: lists can be longer
 * than a command line, and are nobody else's affair.
 */
export function startUplink(
  command: readonly string[],
  { sources, clients, subnet }: Pick<ExitState, 'sources' | 'clients'> & { readonly subnet: string },
): Detached {
  const uplink = spawnDetached(command, ['pipe', 'pipe', 'ignore']);
  uplink.child.stdin?.end(JSON.stringify({ sources, clients, subnet }));
  return uplink;
}
