import type { DeploymentIdentity } from '../driver.ts';
import type { Labels } from './engine-api.ts';

/**
 * What a container is for. `appliance` runs an instance, `sandbox` owns its network, `door` serves an endpoint, `outlet` owns the
 * network of ways out, `records` keeps notes, `probe` tries, `carrier` leads into a volume while somebody reads or writes it.
 */
export type Role = 'appliance' | 'sandbox' | 'door' | 'outlet' | 'records' | 'probe' | 'carrier';

const prefix = 'org.sheaf.';

/** The labels by which objects are found. */
export const labelNames = {
  home: `${prefix}home`,
  deployment: `${prefix}deployment`,
  name: `${prefix}name`,
  owner: `${prefix}owner`,
  blueprint: `${prefix}blueprint`,
  kind: `${prefix}kind`,
  key: `${prefix}key`,
  role: `${prefix}role`,
  generation: `${prefix}generation`,
  /** Digest of all that cannot change while the object exists. */
  fixed: `${prefix}fixed`,
} as const;

/** Marks an object as one of a deployment's. */
export function labelsOf(
  home: string,
  deployment: DeploymentIdentity,
  object: {
    readonly kind: string;
    readonly key: string;
    readonly generation: number;
    readonly role?: Role;
    readonly fixed?: string;
  },
): Labels {
  const { id, name, owner, blueprint } = deployment;
  return {
    [labelNames.home]: home,
    [labelNames.deployment]: id,
    [labelNames.name]: name,
    [labelNames.owner]: owner,
    [labelNames.blueprint]: blueprint,
    [labelNames.kind]: object.kind,
    [labelNames.key]: object.key,
    [labelNames.generation]: String(object.generation),
    ...(object.role && { [labelNames.role]: object.role }),
    ...(object.fixed && { [labelNames.fixed]: object.fixed }),
  };
}

/** Gives the filter for everything of a deployment. */
export function ofDeployment(id: string): readonly string[] {
  return [`${labelNames.deployment}=${id}`];
}

/** Names an object of a deployment at the Engine: instances of assemblies have a slash in their key. */
export function objectName(deployment: string, key: string, suffix = ''): string {
  return `sheaf-${deployment}-${key.replaceAll('/', '_')}${suffix}`;
}

/** Names a deployment's own network. */
export function networkName(deployment: string): string {
  return `sheaf-${deployment}`;
}

/** Names the network by which a deployment's doors reach the world. */
export function outerNetworkName(deployment: string): string {
  return `sheaf-${deployment}-outer`;
}

/** Names the container that owns an instance's network. */
export function sandboxName(deployment: string, instance: string): string {
  return objectName(deployment, instance, '-sandbox');
}

/** Names the container that serves an endpoint. */
export function doorName(deployment: string, endpoint: string): string {
  return objectName(deployment, endpoint, '-door');
}

/** Names the container that owns the network of a deployment's ways out. */
export function outletName(deployment: string): string {
  return objectName(deployment, 'outlet');
}
