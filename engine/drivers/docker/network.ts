import { EngineError } from '../../errors.ts';
import type { NetworkState } from '../../model/step.ts';
import type { DeploymentIdentity } from '../driver.ts';
import { addressPlan } from './addresses.ts';
import type { DriverContext } from './context.ts';
import { labelNames, labelsOf, networkName, ofDeployment, outerNetworkName } from './labels.ts';

/**
 * Makes a deployment's networks: one without any way out for its instances, and one between the server and the doors.
 *
 * Neither is trusted to keep anything apart; sandboxes do that.
 */
export async function ensureNetwork(
  context: DriverContext,
  deployment: DeploymentIdentity,
  state: NetworkState,
  generation: number,
): Promise<void> {
  const plan = addressPlan(state.subnet);
  const found = await context.api.networks(ofDeployment(deployment.id));
  for (const { name, subnet, gateway, isInternal } of [
    { name: networkName(deployment.id), subnet: plan.inner, gateway: plan.bridge, isInternal: true },
    { name: outerNetworkName(deployment.id), subnet: plan.outer, gateway: undefined, isInternal: false },
  ]) {
    const known = found.find((one) => one.name === name);
    if (known?.labels[labelNames.fixed] === subnet) continue;
    if (known) await context.api.removeNetwork(name);
    await createNetwork(context, name, {
      Driver: 'bridge',
      Internal: isInternal,
      EnableIPv6: false,
      IPAM: { Driver: 'default', Config: [{ Subnet: subnet, ...(gateway && { Gateway: gateway }) }] },
      Labels: labelsOf(context.home, deployment, {
        kind: 'network',
        key: 'network',
        generation,
        fixed: subnet,
      }),
    });
  }
}

async function createNetwork(
  { api, pool }: DriverContext,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    await api.createNetwork(name, body);
  } catch (error) {
    if (!(error instanceof EngineError) || !/overlap/i.test(error.message)) throw error;
    throw new EngineError(
      'ADDRESS_TAKEN',
      `a network on the Docker Engine has addresses of the pool ${pool} already`,
      { hint: 'Look at `docker network ls`: remove one that is no longer needed.', cause: error },
    );
  }
}

/** Removes a deployment's networks. */
export async function removeNetwork({ api }: DriverContext, deployment: string): Promise<void> {
  await api.removeNetwork(outerNetworkName(deployment));
  await api.removeNetwork(networkName(deployment));
}

/** Tells whether both networks of a deployment are there. */
export async function networkWorks({ api }: DriverContext, deployment: string): Promise<boolean> {
  const names = (await api.networks(ofDeployment(deployment))).map((one) => one.name);
  return [networkName(deployment), outerNetworkName(deployment)].every((name) => names.includes(name));
}
