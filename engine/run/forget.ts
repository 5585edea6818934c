import type { DeploymentStatus } from '../model/status.ts';
import type { Desired } from '../model/step.ts';
import type { Decision, DecisionBasis } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { intentOf, neverPlanned } from './intent.ts';
import { runOperation } from './operation.ts';
import { withoutPrevious } from './previous-version.ts';
import { requireIsolation } from './require-isolation.ts';
import { nothingBefore, unfinishedFirst } from './revert.ts';
import { deploymentMissing, status } from './status.ts';

/**
 * Lets the version before go, with the snapshots of its data, which take room.
 *
 * @throws EngineError DEPLOYMENT_MISSING; INPUT_REFUSED when there is none; OPERATION_INTERRUPTED when something is unfinished
 */
export async function forget(
  context: RunContext,
  { owner, name }: { readonly owner: string; readonly name: string },
): Promise<DeploymentStatus> {
  const { driver, pool, signal } = context;
  requireIsolation(pool.name, await driver.capabilities(signal));
  let wanted: readonly Desired[] = [];
  const decide = (basis: DecisionBasis): Decision => {
    const { current, unfinished } = basis;
    if (!current) throw deploymentMissing(name);
    const intent = intentOf(basis);
    const planned = unfinished.findLast(({ operation }) => operation.plan !== null)?.operation;
    if (intent.kind !== 'up' || (planned !== undefined && planned.verb !== 'forget'))
      throw unfinishedFirst(name, intent);
    if (planned === undefined && !intent.spec.before) throw nothingBefore(name);
    wanted = intent.desired.filter(({ kind }) => kind !== 'snapshot');
    const spec = withoutPrevious(intent.spec);
    return { id: current.id, pool: current.pool, spec, secrets: [], givesUp: neverPlanned(unfinished) };
  };
  await runOperation(context, { owner, name, verb: 'forget', decide }, async (begun, carry) => {
    await converge(context, begun, carry, wanted);
    return { spec: begun.deployment.spec, answer: undefined };
  });
  return await status(context, owner, name);
}
