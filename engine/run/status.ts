import { EngineError } from '../errors.ts';
import { instancesOf, portsOf } from '../model/blueprint.ts';
import { isUnderWay, type MoveRecord, publicName } from '../model/move.ts';
import type { Observation, ObservedInstance } from '../model/observation.ts';
import type {
  DeploymentState,
  DeploymentStatus,
  DeploymentSummary,
  Drift,
  MoveStatus,
} from '../model/status.ts';
import type { DeploymentRecord, JournaledOperation, Recorded, Verb } from '../model/store.ts';
import { externalName } from '../plan/allocate.ts';
import { endpointUrl } from '../plan/endpoint-url.ts';
import type { RunContext } from './context.ts';
import { driftOf, repairsInAnHour } from './drift.ts';
import { asEngineError } from './failure.ts';
import { identityOf } from './identity.ts';
import { isWell } from './settle.ts';

/** Repairs of the last hour count. */
export const hourMs = 3_600_000;

type StatusContext = Pick<RunContext, 'store' | 'driver' | 'pool' | 'isAlive' | 'clock' | 'signal'>;

/** Makes the error for a name that nobody has given yet. */
export function deploymentMissing(name: string): EngineError {
  return new EngineError('DEPLOYMENT_MISSING', `there is no deployment ${name}`, {
    hint: 'See those that there are with: sheaf status',
  });
}

/** Observes one deployment. @throws EngineError DEPLOYMENT_MISSING */
export async function status(context: StatusContext, owner: string, name: string): Promise<DeploymentStatus> {
  const record = await context.store.deployment(owner, name);
  if (!record) throw deploymentMissing(name);
  return await observed(context, record);
}

/**
 * Observes one deployment for a list. A pool that cannot be asked gives the state `unknown` with the reason.
 *
 * @param contextOf - may fail as the pool does
 */
export async function summarize(
  record: DeploymentRecord,
  contextOf: (record: DeploymentRecord) => Promise<StatusContext>,
): Promise<DeploymentSummary> {
  try {
    const {
      endpoints: _e,
      instances: _i,
      wires: _w,
      volumes: _v,
      drift: _d,
      previous: _p,
      ...summary
    } = await observed(await contextOf(record), record);
    return summary;
  } catch (cause) {
    const { name, owner, pool, spec } = record;
    const { name: application, version } = spec.blueprint.application;
    const { message } = asEngineError(cause);
    return { name, application, version, owner, pool, state: 'unknown', reason: message };
  }
}

async function observed(context: StatusContext, record: DeploymentRecord): Promise<DeploymentStatus> {
  const { store, driver, signal, isAlive, clock } = context;
  const [latest] = await store.unfinished(record.id);
  const move = await store.move(record.owner, publicName(record.name));
  const holder = (await store.leaseHolder(record.id))?.holder ?? null;
  return statusOf({
    record,
    inventory: await store.inventory(record.id),
    observation: await driver.observe(identityOf(record), signal),
    unfinished: latest,
    isHeld: holder !== null && isAlive(holder),
    repairs: await store.repairsSince(record.id, clock() - hourMs),
    move,
    isMoving: move?.holder != null && isAlive(move.holder),
  });
}

/** What {@link statusOf} sums up. */
export type StatusInput = {
  readonly record: DeploymentRecord;
  readonly inventory: readonly Recorded[];
  readonly observation: Observation;
  readonly unfinished: JournaledOperation | undefined;
  /** Whether a living process works on it. */
  readonly isHeld: boolean;
  /** How often it was repaired within the last hour. */
  readonly repairs: number;
  readonly move: MoveRecord | undefined;
  /** Whether a living process works on the move. */
  readonly isMoving: boolean;
};

/** Sums up what was seen of a deployment, and says no more than that. Pure. */
export function statusOf(input: StatusInput): DeploymentStatus {
  const { record, observation, unfinished } = input;
  const { blueprint, allocation, placement } = record.spec;
  const found = new Map(observation.objects.map((one) => [`${one.kind} ${one.key}`, one]));
  const addresses = new Map(Object.entries(allocation.instances));
  const listening = new Map(Object.entries(allocation.endpoints));
  const servers = new Map(Object.entries(placement));

  const instances = instancesOf(blueprint).map(({ name, appliance }) => {
    const seen = found.get(`instance ${name}`);
    const one = seen?.kind === 'instance' ? seen : undefined;
    return {
      name,
      appliance: appliance.path,
      uses: `${appliance.uses.name}@${appliance.uses.version}`,
      server: servers.get(name) ?? '',
      address: addresses.get(name)?.address ?? '',
      state: one?.condition ?? 'absent',
      healthy: one?.healthy ?? null,
      message: one?.message ?? '',
      ...(one?.ended && { ended: one.ended }),
    };
  });
  const endpoints = blueprint.externals.flatMap((external) => {
    const name = externalName(external);
    const listen = listening.get(name);
    const seen = found.get(`endpoint ${name}`);
    if (!listen) return [];
    return [{ name, url: endpointUrl(external.protocol, listen), ...listen, works: works(seen) }];
  });
  const wires = blueprint.wires.flatMap((wire) =>
    portsOf(wire).map((port) => ({
      from: `${wire.from.appliance}.${wire.from.terminal}`,
      to: `${wire.to.appliance}.${wire.to.terminal}`,
      port,
      transport: wire.transport,
    })),
  );
  const volumes = input.inventory.flatMap((one) =>
    one.kind === 'volume'
      ? [{ name: one.key, sizeBytes: one.state.sizeBytes, exists: works(found.get(`volume ${one.key}`)) }]
      : [],
  );
  const isAtRest = !unfinished && record.spec.lifecycle === 'active';
  const drift = isAtRest ? driftOf(input.inventory, observation) : [];
  const state = stateOf(input, endpoints, drift);
  return {
    name: record.name,
    application: blueprint.application.name,
    version: blueprint.application.version,
    owner: record.owner,
    pool: record.pool,
    state,
    ...reasonOf(input, state, instances, drift),
    drift,
    ...previousOf(input),
    ...(unfinished && { operation: operationOf(unfinished) }),
    ...(input.move && { move: moveStatusOf(input.move) }),
    endpoints,
    instances,
    wires,
    volumes,
  };
}

// what lies in a snapshot that is not there any more cannot be promised
function previousOf({ record, inventory }: StatusInput): Pick<DeploymentStatus, 'previous'> {
  const { before } = record.spec;
  if (before === undefined) return {};
  const there = new Set(inventory.flatMap(({ kind, key }) => (kind === 'snapshot' ? [key] : [])));
  const { version } = before.spec.blueprint.application;
  const hasData = before.snapshots.some(({ key }) => there.has(key));
  return { previous: { version, at: before.at, hasData } };
}

/** Says why a deployment does not run as it has to, by what tells most. */
function reasonOf(
  { repairs, observation }: StatusInput,
  state: DeploymentState,
  instances: DeploymentStatus['instances'],
  drift: readonly Drift[],
): { readonly reason?: string } {
  if (state !== 'stopped' && state !== 'degraded') return {};
  const isRestarted = instances.some(({ ended }) => ended?.cause === 'restart');
  if (isRestarted) return { reason: 'not running since its server was restarted' };
  const failed = instances.find((one) => one.state === 'failed' || one.healthy === false);
  const broken = observation.objects.find((one) => one.kind !== 'instance' && !one.works);
  const [first] = drift;
  const what = failed
    ? `${failed.name}: ${failed.message || failed.state}`
    : broken && state === 'degraded'
      ? faultOf(broken)
      : first && `${first.kind} ${first.key} is ${first.what}`;
  if (what === undefined) return {};
  if (repairs < repairsInAnHour) return { reason: what };
  return { reason: `${what}; repaired ${repairs} times within an hour, so it is left for a person` };
}

function faultOf({ kind, key }: Observation['objects'][number]): string {
  switch (kind) {
    case 'network':
    case 'policy':
      return 'its network is not there as it has to be';
    case 'image':
      return `the image ${key} is not here any more: up with the source makes it again`;
    case 'volume':
      return `the volume ${key} is missing`;
    case 'snapshot':
      return `the snapshot ${key} is missing`;
    case 'endpoint':
      return `nobody serves ${key}`;
    case 'instance':
      return `${key} is not well`;
    default:
      return kind satisfies never;
  }
}

function works(seen: Observation['objects'][number] | undefined): boolean {
  return seen !== undefined && seen.kind !== 'instance' && seen.works;
}

function operationOf({ operation, steps }: JournaledOperation): NonNullable<DeploymentSummary['operation']> {
  const done = steps.filter((step) => step.state === 'done').length;
  return { id: operation.id, verb: operation.verb, done, steps: steps.length };
}

function stateOf(
  input: StatusInput,
  endpoints: DeploymentStatus['endpoints'],
  drift: readonly Drift[],
): DeploymentState {
  const { record, observation, unfinished, isHeld, move, isMoving } = input;
  if (move && isUnderWay(move) && !isMoving) return 'unfinished';
  if (record.spec.lifecycle === 'held') return 'held';
  if (unfinished) return isHeld && bringsUp(unfinished.operation.verb) ? 'starting' : 'unfinished';
  if (record.spec.lifecycle === 'kept') return 'kept';
  const seen = new Map<string, ObservedInstance>();
  for (const one of observation.objects) if (one.kind === 'instance') seen.set(one.key, one);
  const expected = instancesOf(record.spec.blueprint).map(({ name, appliance }) => ({
    seen: seen.get(name),
    hasHealth: appliance.health !== undefined,
  }));
  const conditions = expected.map((one) => one.seen?.condition ?? 'absent');
  if (conditions.every((one) => one === 'absent' || one === 'stopped')) return 'stopped';
  const isAllWell = expected.every((one) => one.seen && isWell(one.seen, one.hasHealth));
  const isAllThere =
    drift.every((one) => one.kind === 'instance') &&
    observation.objects.every((one) => one.kind === 'instance' || one.works);
  if (isAllWell && isAllThere && endpoints.every((one) => one.works)) return 'running';
  const isComing = expected.every(
    (one) =>
      one.seen && (isWell(one.seen, one.hasHealth) || isStarting(one.seen.condition, one.seen.healthy)),
  );
  return isComing && isAllThere ? 'starting' : 'degraded';
}

function moveStatusOf(move: MoveRecord): MoveStatus {
  const { phase, direction, source, target, startedAt, confirmBy, error } = move;
  return {
    phase,
    from: source.pool,
    to: target.pool,
    isUndo: direction === 'back',
    since: startedAt,
    ...(phase === 'waiting' && confirmBy !== null && { confirmBy }),
    ...(error && { error: error.message }),
  };
}

function bringsUp(verb: Verb): boolean {
  return (
    verb === 'up' ||
    verb === 'scale' ||
    verb === 'repair' ||
    verb === 'upgrade' ||
    verb === 'revert' ||
    verb === 'release'
  );
}

function isStarting(condition: string, healthy: boolean | null): boolean {
  return condition === 'starting' || condition === 'waiting' || (condition === 'running' && healthy === null);
}
