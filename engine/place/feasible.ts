import type { Resources, Server } from '../model/pool.ts';
import { formatSize } from '../units.ts';

/** How many times a server's cores are given out: they are shared by time, and most instances wait most of the time. */
export const cpuOvercommit = 4;

/** Tells how much of a server can be given out; memory and disk are never given out twice. */
export function capacityOf(server: Server): Resources {
  return { ...server.capacity, cpuMillicores: server.capacity.cpuMillicores * cpuOvercommit };
}

/**
 * Tells why a server cannot take a demand; undefined when it can.
 *
 * @param held - what the server holds already, this deployment's earlier choices included
 */
export function rejectionOf(server: Server, held: Resources, demand: Resources): string | undefined {
  if (!server.isOpen) return server.reason ?? 'it is closed';
  const capacity = capacityOf(server);
  const lacks = (kind: keyof Resources): boolean => held[kind] + demand[kind] > capacity[kind];
  const free = (kind: keyof Resources): number => Math.max(0, capacity[kind] - held[kind]);
  if (lacks('memoryBytes')) {
    return `it needs ${formatSize(demand.memoryBytes)} of memory and ${formatSize(free('memoryBytes'))} are free`;
  }
  if (lacks('diskBytes')) {
    return `it needs ${formatSize(demand.diskBytes)} of disk and ${formatSize(free('diskBytes'))} are free`;
  }
  if (lacks('cpuMillicores')) {
    return `it needs ${formatCores(demand.cpuMillicores)} and ${formatCores(free('cpuMillicores'))} are free`;
  }
  return undefined;
}

/** Writes millicores as cores: `0.5 cores`. */
export function formatCores(millicores: number): string {
  return `${Number((millicores / 1000).toFixed(2))} cores`;
}
