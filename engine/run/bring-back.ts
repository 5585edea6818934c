import type { DeploymentState } from '../model/status.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { convergeAsRecorded, notRecorded } from './converge-as-recorded.ts';
import { down } from './down.ts';
import { intentOf } from './intent.ts';
import { rollBack } from './roll-back.ts';
import { deploymentMissing, status } from './status.ts';

/** What a deployment is when it was brought back; `absent`: its removal was finished. */
export type BroughtBack = DeploymentState | 'absent';

/**
 * Brings a deployment to what is recorded of it, without its source: what was active comes up as it was, with the same
 * images, addresses and secrets; an operation that was cut off goes on; what was stopped on request stays so.
 *
 * @returns the state that was seen then
 * @throws EngineError of `up`, `down` and `rollBack`; DEPLOYMENT_MISSING; OPERATION_INTERRUPTED for one whose records do
 *   not say enough
 */
export async function bringBack(
  context: RunContext,
  request: { readonly owner: string; readonly name: string },
): Promise<BroughtBack> {
  const { store } = context;
  const { owner, name } = request;
  const current = await store.deployment(owner, name);
  if (!current) throw deploymentMissing(name);
  const intent = intentOf(await basisOf(context, current));
  switch (intent.kind) {
    case 'up':
      await convergeAsRecorded(context, request, 'up');
      break;
    case 'down':
      await down(context, { ...request, data: intent.data });
      break;
    case 'rollback':
      await rollBack(context, request);
      break;
    case 'kept':
      break;
    case 'undecided':
    case 'unplanned':
      throw notRecorded(name, intent);
    default:
      intent satisfies never;
  }
  if (!(await store.deployment(owner, name))) return 'absent';
  return (await status(context, owner, name)).state;
}

async function basisOf({ store }: RunContext, current: DeploymentRecord) {
  return {
    current,
    unfinished: await store.unfinished(current.id),
    inventory: await store.inventory(current.id),
  };
}
