import type { Observation } from '../model/observation.ts';
import type { Desired } from '../model/step.ts';
import type { Begun, Recorded } from '../model/store.ts';
import { diff } from '../plan/diff.ts';
import { deploymentMoved } from '../store/move-guard.ts';
import type { RunContext } from './context.ts';
import { execute } from './execute.ts';
import { identityOf } from './identity.ts';
import { warnOfLostVolumes } from './lost-volumes.ts';
import type { Carry } from './operation.ts';
import { requireStored } from './require-stored.ts';
import { settle } from './settle.ts';

/**
 * Brings what exists of a deployment to what is wanted, and waits until every instance is healthy.
 *
 * Data volumes that are not wanted stay as they are.
 *
 * @param unwell - instances that are replaced because they are not healthy
 * @throws EngineError of `execute` and `settle`; IMAGE_MISSING before anything is begun
 */
export async function converge(
  context: RunContext,
  { deployment, lease, operation }: Begun,
  { planned }: Carry,
  wanted: readonly Desired[],
  unwell: ReadonlySet<string> = new Set(),
): Promise<void> {
  const { driver, store, signal } = context;
  const identity = identityOf(deployment);
  const recorded = await store.inventory(deployment.id);
  const observation = await driver.observe(identity, signal);
  if (operation.verb !== 'release') refuseHeldByOthers(identity.name, recorded, observation);
  const plan = diff({
    deployment: identity.name,
    generation: deployment.generation,
    blueprint: deployment.spec.digest,
    desired: wanted,
    recorded,
    observation,
    unwell,
    mayDelete: () => false,
  });
  await requireStored(context, plan, deployment.name);
  warnOfLostVolumes(context, plan);
  await planned(plan);
  const work = { lease, operation: operation.id, deployment: identity };
  await execute(context, { ...work, plan, onFailure: 'stop' });
  const instances = wanted.flatMap((one) => (one.kind === 'instance' ? [[one.key, one.state] as const] : []));
  await settle(context, { ...work, instances: new Map(instances) });
}

// records that were put back from a backup do not know of a move that came after it, and would wake a second copy
function refuseHeldByOthers(name: string, recorded: readonly Recorded[], { objects }: Observation): void {
  const held = new Set(
    objects.flatMap((one) => (one.kind === 'instance' && one.condition === 'held' ? [one.key] : [])),
  );
  const isUnknown = recorded.some(
    (one) => one.kind === 'instance' && one.isSettled && !one.state.isHeld && held.has(one.key),
  );
  if (isUnknown) throw deploymentMoved(name);
}
