import { instancesOf } from '../model/blueprint.ts';
import type { Resources, Server } from '../model/pool.ts';
import type { DeploymentRecord, Recorded } from '../model/store.ts';
import { demandOf, sumResources } from '../place/demand.ts';

const nothing: Resources = { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 };

/**
 * Gives the servers with what others than one deployment hold of them.
 *
 * Two sources, of which the higher counts by kind: the records, which know of deployments that are only just being
 * brought up, and the driver, which knows of what is not ours. The driver's figure has this deployment's own in it.
 *
 * @param others - all other deployments of the pool
 * @param own - what this deployment has at the provider
 */
export function heldElsewhere(
  servers: readonly Server[],
  others: readonly DeploymentRecord[],
  own: readonly Recorded[],
  overhead: Resources,
): readonly Server[] {
  const recorded = Map.groupBy(others.flatMap(claimsOf), (claim) => claim.server);
  const mine = Map.groupBy(
    own.flatMap((one) => ownClaim(one, overhead)),
    (claim) => claim.server,
  );
  return servers.map((server) => {
    const known = sumResources((recorded.get(server.name) ?? []).map((claim) => claim.resources));
    const ours = sumResources((mine.get(server.name) ?? []).map((claim) => claim.resources));
    const higher = (kind: keyof Resources): number => Math.max(known[kind], server.used[kind] - ours[kind]);
    return {
      ...server,
      used: {
        cpuMillicores: higher('cpuMillicores'),
        memoryBytes: higher('memoryBytes'),
        diskBytes: higher('diskBytes'),
      },
    };
  });
}

type Claim = { readonly server: string; readonly resources: Resources };

/** Tells what a deployment holds of which server; stopped on request, it is its disks alone. */
function claimsOf({ spec }: DeploymentRecord): readonly Claim[] {
  const servers = new Map(Object.entries(spec.placement));
  return instancesOf(spec.blueprint).flatMap(({ name, appliance }) => {
    const server = servers.get(name);
    if (server === undefined) return [];
    const { diskBytes, ...running } = demandOf(appliance, spec.overhead);
    return [{ server, resources: { ...nothing, ...(spec.lifecycle !== 'kept' && running), diskBytes } }];
  });
}

function ownClaim(one: Recorded, overhead: Resources): readonly Claim[] {
  switch (one.kind) {
    case 'instance': {
      const { server, cpuMillicores, memoryBytes } = one.state;
      const resources = sumResources([{ cpuMillicores, memoryBytes, diskBytes: 0 }, overhead]);
      return [{ server, resources }];
    }
    case 'volume':
      return [{ server: one.state.server, resources: { ...nothing, diskBytes: one.state.sizeBytes } }];
    default:
      return [];
  }
}
