import { EngineError } from '../errors.ts';
import type { Observation } from '../model/observation.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { RunContext } from './context.ts';
import { convergeAsRecorded } from './converge-as-recorded.ts';
import { blamed, driftOf, isUnwell } from './drift.ts';
import { identityOf } from './identity.ts';
import { deploymentMissing, status } from './status.ts';

/**
 * Heals what has drifted from what is recorded: makes again what is gone, changes back what was changed, starts what has
 * ended, and replaces instances that run and are not healthy. Without drift, and with nothing unfinished, nothing is done.
 *
 * @param isToReplace - says of an instance that is not healthy whether it is to be replaced
 * @returns the status when every instance is healthy
 * @throws EngineError DEPLOYMENT_MISSING; INPUT_REFUSED for one that was stopped on request; as `convergeAsRecorded`
 */
export async function repair(
  context: RunContext,
  request: { readonly owner: string; readonly name: string },
  isToReplace: (instance: string) => boolean = () => true,
): Promise<DeploymentStatus> {
  const { store, driver, signal } = context;
  const { owner, name } = request;
  const record = await store.deployment(owner, name);
  if (!record) throw deploymentMissing(name);
  const unfinished = await store.unfinished(record.id);
  if (record.spec.lifecycle === 'kept' && unfinished.length === 0) {
    throw new EngineError('INPUT_REFUSED', `${name} is stopped, and only its data are kept`, {
      hint: 'Bring it up with `up` and its source.',
    });
  }
  const inventory = await store.inventory(record.id);
  const observation = await driver.observe(identityOf(record), signal);
  const unwell = unwellIn(observation).filter(isToReplace);
  if (unfinished.length > 0 || driftOf(inventory, observation).length > 0)
    await convergeAsRecorded(context, request, 'repair', new Set(blamed(unwell, inventory)));
  return await status(context, owner, name);
}

/** Names the instances that run and are not healthy. */
export function unwellIn({ objects }: Observation): readonly string[] {
  return objects.filter(isUnwell).map((one) => one.key);
}
