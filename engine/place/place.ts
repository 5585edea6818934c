import { EngineError } from '../errors.ts';
import { type Blueprint, type InstanceName, instancesOf } from '../model/blueprint.ts';
import type { Resources, Server } from '../model/pool.ts';
import type { PlacementEntry, ServerRejection } from '../model/status.ts';
import { demandOf, sumResources } from './demand.ts';
import { rejectionOf } from './feasible.ts';
import { domainOf, fitScore } from './score.ts';

/** What {@link place} chooses from. */
export type PlaceRequest = {
  /** n instances in start order. */
  readonly blueprint: Blueprint;
  /** m servers; `used` is what others hold. */
  readonly servers: readonly Server[];
  /** What one instance costs beyond its appliance's resources. */
  readonly overhead: Resources;
  /** Where instances are already, by name; they stay there as long as they fit. */
  readonly previous: ReadonlyMap<string, string>;
};

/**
 * Chooses a server for every instance of a blueprint.
 *
 * Feasible, then score, then choose. Replicas with a `spread` go to the domain with the fewest of them first;
 * then the fullest server that fits wins. Deterministic: ties go to the server that stands earlier in the pool. An
 * instance with a data volume stays where its data is, or is refused; any other moves only when its server has no room.
 *
 * @returns n entries in that order, each with the reasons of all servers that were refused for it
 * @throws EngineError POOL_EMPTY when m = 0
 * Cost O(n × m).
 */
export function place(request: PlaceRequest): readonly PlacementEntry[] {
  const { blueprint, servers, overhead, previous } = request;
  if (servers.length === 0) {
    throw new EngineError('POOL_EMPTY', 'the pool has no server', { hint: 'Add a server to the pool.' });
  }
  const board = new Board(servers);
  const instances = instancesOf(blueprint);
  const chosen = new Map<string, PlacementEntry>();
  // those that stay first: nobody new may take their room
  for (const instance of instances.filter((one) => previous.has(one.name))) {
    chosen.set(instance.name, stay(board, instance, overhead, previous.get(instance.name) ?? ''));
  }
  for (const instance of instances) {
    const entry = chosen.get(instance.name);
    if (entry && (entry.server !== null || hasData(instance))) continue;
    chosen.set(instance.name, choose(board, instance, overhead));
  }
  return instances.flatMap((instance) => chosen.get(instance.name) ?? []);
}

/** Who holds what while places are given out. */
class Board {
  readonly servers: readonly Server[];
  readonly #held: Map<string, Resources>;
  readonly #replicas = new Map<string, number>();

  constructor(servers: readonly Server[]) {
    this.servers = servers;
    this.#held = new Map(servers.map((server) => [server.name, server.used]));
  }

  held(server: Server): Resources {
    return this.#held.get(server.name) ?? server.used;
  }

  replicas(instance: InstanceName, server: Server): number {
    return this.#replicas.get(domainKey(instance, server)) ?? 0;
  }

  take(instance: InstanceName, server: Server, demand: Resources): void {
    this.#held.set(server.name, sumResources([this.held(server), demand]));
    this.#replicas.set(domainKey(instance, server), this.replicas(instance, server) + 1);
  }
}

function domainKey({ appliance }: InstanceName, server: Server): string {
  return `${appliance.path} ${domainOf(server, appliance.spread ?? 'server')}`;
}

function stay(board: Board, instance: InstanceName, overhead: Resources, name: string): PlacementEntry {
  const server = board.servers.find((one) => one.name === name);
  const demand = demandOf(instance.appliance, overhead);
  // a closed server takes nothing new, and what runs there goes on
  const reason = server
    ? rejectionOf({ ...server, isOpen: true }, board.held(server), demand)
    : 'is no longer in the pool';
  if (!server || reason !== undefined) {
    const why = reason === undefined ? '' : hasData(instance) ? `${reason}, and the data is there` : reason;
    return { instance: instance.name, server: null, rejected: [{ server: name, reason: why }] };
  }
  const score = fitScore(server, board.held(server), demand);
  board.take(instance, server, demand);
  return { instance: instance.name, server: server.name, score, rejected: [] };
}

function choose(board: Board, instance: InstanceName, overhead: Resources): PlacementEntry {
  const demand = demandOf(instance.appliance, overhead);
  const rejected: ServerRejection[] = [];
  let best: { readonly server: Server; readonly replicas: number; readonly score: number } | undefined;
  for (const server of board.servers) {
    const held = board.held(server);
    const reason = rejectionOf(server, held, demand);
    if (reason !== undefined) {
      rejected.push({ server: server.name, reason });
      continue;
    }
    const replicas = instance.appliance.spread ? board.replicas(instance, server) : 0;
    const score = fitScore(server, held, demand);
    if (!best || replicas < best.replicas || (replicas === best.replicas && score > best.score)) {
      best = { server, replicas, score };
    }
  }
  if (!best) return { instance: instance.name, server: null, rejected };
  board.take(instance, best.server, demand);
  return { instance: instance.name, server: best.server.name, score: best.score, rejected };
}

function hasData(instance: InstanceName): boolean {
  return instance.appliance.volumes.some((volume) => volume.kind === 'data');
}
