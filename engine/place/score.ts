import type { Resources, Server } from '../model/pool.ts';
import { capacityOf } from './feasible.ts';

/**
 * Scores how well a demand fits a server: 1 where it would be filled to the last byte, 0 where it stays empty.
 *
 * Filling servers up keeps whole ones free for large instances.
 *
 * @returns a number from 0 to 1
 * @source best fit v3 score (Google, cited in Nomad's ScoreFitBinPack), rescaled
 */
export function fitScore(server: Server, held: Resources, demand: Resources): number {
  const capacity = capacityOf(server);
  const freeAfter = (kind: keyof Resources): number =>
    capacity[kind] === 0 ? 0 : 1 - (held[kind] + demand[kind]) / capacity[kind];
  const total = 10 ** freeAfter('cpuMillicores') + 10 ** freeAfter('memoryBytes');
  return Math.min(1, Math.max(0, (20 - total) / 18));
}

/** Names the failure domain of a server; a server without a rack or zone is one by itself. */
export function domainOf(server: Server, spread: 'server' | 'rack' | 'zone'): string {
  switch (spread) {
    case 'server':
      return server.name;
    case 'rack':
      return server.rack ?? server.name;
    case 'zone':
      return server.zone ?? server.name;
    default:
      return spread satisfies never;
  }
}
