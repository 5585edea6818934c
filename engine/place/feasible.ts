import type { Resources, Server } from '../model/pool.ts';
import { formatSize } from '../units.ts';

/** How many times a server's cores are given out: they are shared by time, and most instances wait most of the time. */
const cpuOvercommit = 4;

/** Tells how much of a server can be given out; memory and disk are never given out twice. */
export function capacityOf(server: Server): Resources {
  return { ...server.capacity, cpuMillicores: server.capacity.cpuMillicores * cpuOvercommit };
}

/**
 * Tells why a server cannot take a demand; undefined when it can.
 *
 * @param held - what the server holds already, this deployment's earlier choices included
 * @returns what follows the server's name in a sentence: `has 256 MiB of memory free and 512 MiB are needed`
 */
export function rejectionOf(server: Server, held: Resources, demand: Resources): string | undefined {
  if (!server.isOpen) return `takes nothing new: ${server.reason ?? 'it is closed'}`;
  const capacity = capacityOf(server);
  const units: readonly (readonly [keyof Resources, string, (amount: number) => string])[] = [
    ['memoryBytes', 'of memory', formatSize],
    ['diskBytes', 'of disk', formatSize],
    ['cpuMillicores', 'of processor time', formatCores],
  ];
  for (const [kind, of, format] of units) {
    const free = Math.max(0, capacity[kind] - held[kind]);
    if (demand[kind] > free) return `has ${format(free)} ${of} free and ${format(demand[kind])} are needed`;
  }
  return undefined;
}

/** Writes millicores as cores: `0.5 cores`. */
function formatCores(millicores: number): string {
  return `${Number((millicores / 1000).toFixed(2))} cores`;
}
