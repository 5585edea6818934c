import { canonicalJson, digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { ListenAddress, ListenRefusal } from '../model/allocation.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { Pool, Resources, Server } from '../model/pool.ts';
import type { PlacementEntry } from '../model/status.ts';
import type {
  DecisionBasis,
  DeploymentRecord,
  DeploymentSpec,
  Recorded,
  ScaledReplicas,
} from '../model/store.ts';
import { place } from '../place/place.ts';
import { placementRefusal } from '../place/refusal.ts';
import { allocate, externalName, type Listening } from '../plan/allocate.ts';
import { volumeKey } from '../plan/deployment-view.ts';
import { formatSize } from '../units.ts';
import { heldElsewhere } from './held.ts';
import { scaled } from './scaled.ts';

/** What somebody wants to be up. */
export type UpRequest = {
  readonly owner: string;
  readonly name: string;
  readonly blueprint: Blueprint;
  readonly inputs: {
    /** Parameters that are no secrets, as text. */
    readonly set: Readonly<Record<string, string>>;
    readonly expose: Readonly<Record<string, ListenAddress>>;
    /** Numbers of replicas other than described; those that are recorded when absent. */
    readonly scale?: ScaledReplicas;
  };
  /** Values of secrets that were given, by their names in the blueprint. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Whether another version than the present one is meant. */
  readonly isUpgrade?: true;
};

/** What the decision needs to know of the pool. */
export type PoolView = {
  readonly pool: Pool;
  readonly servers: readonly Server[];
  readonly overhead: Resources;
  readonly ports: readonly number[];
  /** Why nothing could listen where a wish says. @see AllocationRequest */
  readonly refusals: ReadonlyMap<string, ListenRefusal>;
};

/** What was decided, and why instances go where they go. */
export type UpDecision = {
  readonly spec: DeploymentSpec;
  readonly placement: readonly PlacementEntry[];
};

/**
 * Decides what a deployment will hold: addresses, servers, places to listen. Pure.
 *
 * What it has already it keeps, numbers of replicas that were asked for included. A name belongs to one version of one application on one pool.
 *
 * @param id - of the deployment
 * @throws EngineError INPUT_REFUSED, DEPLOYMENT_EXISTS, PLACEMENT_IMPOSSIBLE, POOL_EMPTY, ADDRESS_TAKEN
 */
export function decideUp(basis: DecisionBasis, request: UpRequest, view: PoolView, id: string): UpDecision {
  const { current, others, inventory } = basis;
  checkName(request.name);
  if (current) checkCurrent(current, request, view.pool);
  checkShrinking(basis, request.blueprint);
  const { blueprint, scale } = scaled(
    request.blueprint,
    request.inputs.scale ?? current?.spec.inputs.scale ?? {},
  );

  const neighbours = others.filter((one) => one.pool === view.pool.name);
  const placement = place({
    blueprint,
    servers: heldElsewhere(view.servers, neighbours, inventory, view.overhead),
    overhead: view.overhead,
    previous: previousServers(current, inventory),
  });
  const refusal = placementRefusal(placement);
  if (refusal) throw refusal;

  const allocation = allocate({
    deployment: id,
    blueprint,
    range: view.pool.range,
    taken: {
      subnets: neighbours.map((one) => one.spec.allocation.subnet),
      listening: neighbours.flatMap(listeningOf),
    },
    ...(current && { recorded: current.spec.allocation }),
    expose: request.inputs.expose,
    ports: view.ports,
    refusals: view.refusals,
  });
  const { set, expose } = request.inputs;
  return {
    placement,
    spec: {
      blueprint,
      digest: digestOf(canonicalJson(blueprint)),
      inputs: { set, expose, ...(Object.keys(scale).length > 0 && { scale }) },
      allocation,
      placement: Object.fromEntries(
        placement.flatMap((entry) => (entry.server === null ? [] : [[entry.instance, entry.server]])),
      ),
      overhead: view.overhead,
      lifecycle: 'active',
      ...copiesOf(current?.spec),
      ...(current?.spec.before && { before: current.spec.before }),
    },
  };
}

/** Gives what a decision says of the copies that there were of the data: whatever else is decided, it stays true. */
export function copiesOf(spec: DeploymentSpec | undefined): Pick<DeploymentSpec, 'dataGeneration'> {
  return spec?.dataGeneration === undefined ? {} : { dataGeneration: spec.dataGeneration };
}

function checkName(name: string): void {
  if (/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) return;
  throw new EngineError('INPUT_REFUSED', `"${name}" cannot be the name of a deployment`, {
    hint: 'Use lower-case letters, digits and hyphens, at most 40, a letter first and no hyphen last.',
  });
}

function checkCurrent(current: DeploymentRecord, request: UpRequest, pool: Pool): void {
  const { name } = request;
  const mine = current.spec.blueprint.application;
  const asked = request.blueprint.application;
  if (mine.name !== asked.name) {
    throw new EngineError(
      'DEPLOYMENT_EXISTS',
      `${name} is a deployment of ${mine.name}, not of ${asked.name}`,
      {
        hint: 'Choose another name with --as.',
      },
    );
  }
  if (mine.version !== asked.version && !request.isUpgrade) {
    throw new EngineError(
      'DEPLOYMENT_EXISTS',
      `${name} has version ${mine.version} of ${mine.name}, and this is ${asked.version}`,
      { hint: `Change the version with: sheaf upgrade ${name} SOURCE` },
    );
  }
  if (current.pool !== pool.name) {
    throw new EngineError('INPUT_REFUSED', `${name} is on the pool ${current.pool}, not on ${pool.name}`, {
      hint: `Leave --pool out, or take it there with: sheaf move ${name} --to ${pool.name}`,
    });
  }
}

// against the last decision that was carried out; what an undone growth has left is no smaller than that
function checkShrinking({ current, unfinished }: DecisionBasis, blueprint: Blueprint): void {
  const last = unfinished.length === 0 ? current?.spec : unfinished.at(-1)?.operation.previous;
  const sizes = new Map(
    last?.blueprint.appliances.flatMap(({ path, volumes }) =>
      volumes.map((volume) => [volumeKey(path, volume.name), volume.sizeBytes] as const),
    ),
  );
  for (const { path, volumes } of blueprint.appliances) {
    for (const { name, kind, sizeBytes } of volumes) {
      const size = sizes.get(volumeKey(path, name));
      if (kind !== 'data' || size === undefined || size <= sizeBytes) continue;
      throw new EngineError(
        'INPUT_REFUSED',
        `the volume ${name} of ${path} would shrink, which can lose data`,
        {
          hint: `Leave its size at ${formatSize(size)}, or larger.`,
          details: { appliance: path, volume: name, sizeBytes: size, askedBytes: sizeBytes },
        },
      );
    }
  }
}

// a volume that a removed replica left behind says where the replica has to be when it comes back
function previousServers(
  current: DeploymentRecord | undefined,
  inventory: readonly Recorded[],
): ReadonlyMap<string, string> {
  const volumes = inventory.flatMap((one) => (one.kind === 'volume' ? [one] : []));
  return new Map([
    ...volumes.map(({ key, state }) => [key.slice(0, key.lastIndexOf('/')), state.server] as const),
    ...Object.entries(current?.spec.placement ?? {}),
  ]);
}

function listeningOf({ spec }: DeploymentRecord): readonly Listening[] {
  const endpoints = new Map(Object.entries(spec.allocation.endpoints));
  return spec.blueprint.externals.flatMap((external) => {
    const listen = endpoints.get(externalName(external));
    return listen ? [{ ...listen, transport: external.transport }] : [];
  });
}
