import { isIP } from 'node:net';
import { EngineError } from '../errors.ts';
import type { ListenRefusal } from '../model/allocation.ts';
import type { Capabilities } from '../model/pool.ts';
import { externalName } from '../plan/allocate.ts';
import type { RunContext } from './context.ts';
import type { PoolView, UpRequest } from './decide-up.ts';
import { requireIsolation } from './require-isolation.ts';

/** Asks the pool for what a decision needs to know of it. @throws EngineError ISOLATION_UNAVAILABLE, PLACEMENT_IMPOSSIBLE */
export async function poolView(context: RunContext, request: UpRequest): Promise<PoolView> {
  const { driver, pool, signal } = context;
  const capabilities = await driver.capabilities(signal);
  requireIsolation(pool.name, capabilities);
  requireMachines(pool.name, capabilities, request);
  return {
    pool,
    servers: await driver.servers(signal),
    overhead: capabilities.overhead,
    // some to spare: a free port can be one that a stopped deployment keeps
    ports: await context.freePorts(request.blueprint.externals.length + 8),
    refusals: capabilities.isElsewhere ? new Map() : await listenRefusals(context, request),
  };
}

/** Refuses whole disks, which boot a system of their own, where only containers run. */
function requireMachines(pool: string, { runs }: Capabilities, { blueprint }: UpRequest): void {
  const disks = blueprint.appliances.filter(({ image }) => image.kind === 'disk').map(({ path }) => path);
  if (runs === 'vm' || disks.length === 0) return;
  throw new EngineError(
    'PLACEMENT_IMPOSSIBLE',
    `the pool ${pool} runs containers, and cannot boot the disk of ${disks.join(', ')}`,
    { hint: 'Use a pool of virtual machines, such as local.' },
  );
}

/** Tries the places that are asked for, so that a taken one is told before anything is made. */
async function listenRefusals(
  { store, listenRefusal }: RunContext,
  { owner, name, blueprint, inputs }: UpRequest,
): Promise<ReadonlyMap<string, ListenRefusal>> {
  const current = await store.deployment(owner, name);
  // it may be this deployment's own endpoint that listens there
  const own = new Set(Object.values(current?.spec.allocation.endpoints ?? {}).map(({ port }) => port));
  const refusals = new Map<string, ListenRefusal>();
  for (const external of blueprint.externals) {
    const wish = inputs.expose[externalName(external)];
    if (wish === undefined || isIP(wish.address) === 0 || own.has(wish.port)) continue;
    const refusal = await listenRefusal({ ...wish, transport: external.transport });
    if (refusal !== undefined) refusals.set(externalName(external), refusal);
  }
  return refusals;
}
