import { EngineError } from '../errors.ts';
import type { Desired, InstanceState } from '../model/step.ts';
import type { Decision, DecisionBasis } from '../model/store.ts';
import { diff } from '../plan/diff.ts';
import { stateBefore } from '../plan/state-before.ts';
import type { RunContext } from './context.ts';
import { execute } from './execute.ts';
import { asEngineError } from './failure.ts';
import { identityOf } from './identity.ts';
import { warnOfLostVolumes } from './lost-volumes.ts';
import { runOperation } from './operation.ts';
import { type Settling, settle } from './settle.ts';
import { deploymentMissing } from './status.ts';

/**
 * Undoes an unfinished operation and those that it took over, from whatever point they reached.
 *
 * Volumes that they made go, with the data; volumes that they removed come back empty, which is told by a warning; data that
 * they put at risk are taken back to the snapshots that they took. Can be interrupted and run again like any other.
 *
 * @throws EngineError DEPLOYMENT_MISSING, DEPLOYMENT_BUSY, INPUT_REFUSED when nothing is unfinished; of `execute`
 */
export async function rollBack(
  context: RunContext,
  request: {
    readonly owner: string;
    readonly name: string;
    /** Whether it is waited until what came back is healthy; one that does not get so is told. */
    readonly settles?: boolean;
  },
): Promise<void> {
  const { driver, store, signal } = context;
  const { name } = request;
  const decide = ({ current, unfinished }: DecisionBasis): Decision => {
    if (!current) throw deploymentMissing(name);
    if (unfinished.length === 0) throw nothingUnfinished(name);
    return { id: current.id, pool: current.pool, spec: current.spec, secrets: [] };
  };
  await runOperation(
    context,
    { owner: request.owner, name, verb: 'rollback', decide },
    async ({ deployment, lease, operation, resumed }, { planned }) => {
      const identity = identityOf(deployment);
      const recorded = await store.inventory(deployment.id);
      const { desired, madeVolumes } = stateBefore(recorded, resumed);
      const plan = diff({
        deployment: name,
        generation: deployment.generation,
        blueprint: deployment.spec.digest,
        desired,
        recorded,
        observation: await driver.observe(identity, signal),
        mayDelete: (volume) => madeVolumes.has(volume),
      });
      warnOfLostVolumes(context, plan);
      await planned(plan);
      const work = { lease, operation: operation.id, deployment: identity };
      await execute(context, { ...work, plan, onFailure: 'continue' });
      if (request.settles) await settleOrTell(context, { ...work, instances: statesOf(desired) });
      return { spec: resumed.at(-1)?.operation.previous ?? null, answer: undefined };
    },
  );
}

function statesOf(objects: readonly Desired[]): ReadonlyMap<string, InstanceState> {
  return new Map(objects.flatMap((one) => (one.kind === 'instance' ? [[one.key, one.state] as const] : [])));
}

// what it was before is what it is again, well or not
async function settleOrTell(context: RunContext, settling: Settling): Promise<void> {
  try {
    await settle(context, settling);
  } catch (cause) {
    const { code, message, hint } = asEngineError(cause);
    if (context.signal.aborted || code === 'LEASE_LOST') throw cause;
    context.report({ type: 'warning', code, message, ...(hint !== undefined && { hint }) });
  }
}

function nothingUnfinished(name: string): EngineError {
  return new EngineError('INPUT_REFUSED', `${name} has no unfinished operation to undo`, {
    hint: `See it with: sheaf status ${name}`,
  });
}
