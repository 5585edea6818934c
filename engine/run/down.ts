import { EngineError } from '../errors.ts';
import type { Observation } from '../model/observation.ts';
import type { DataDecision } from '../model/request.ts';
import type { Decision, DecisionBasis, Recorded } from '../model/store.ts';
import { exists } from '../plan/change.ts';
import { diff } from '../plan/diff.ts';
import type { RunContext } from './context.ts';
import { execute } from './execute.ts';
import { identityOf } from './identity.ts';
import { runOperation } from './operation.ts';
import { withoutPrevious } from './previous-version.ts';
import { deploymentMissing } from './status.ts';

/** What `down` removed and left. */
export type DownAnswer = {
  readonly name: string;
  /** Objects. */
  readonly removed: number;
  readonly keptVolumes: readonly string[];
};

/**
 * Stops a deployment and removes all that it has at its provider; with `keep`, all but its data volumes.
 *
 * Works from what is recorded and what is found there, never from a description. A step that fails leaves
 * the others going on. After `keep` the name, addresses, secrets and volumes stay recorded, and `up` brings them back;
 * after `delete` nothing is left.
 *
 * @throws EngineError DEPLOYMENT_MISSING, DEPLOYMENT_BUSY; of the first step that failed, with all of them in
 *   `details.failed`; TOOL_FAILED naming what is still there
 */
export async function down(
  context: RunContext,
  request: { readonly owner: string; readonly name: string; readonly data: DataDecision },
): Promise<DownAnswer> {
  const { driver, store, signal } = context;
  const { name, data } = request;
  const decide = ({ current }: DecisionBasis): Decision => {
    if (!current) throw deploymentMissing(name);
    return { id: current.id, pool: current.pool, spec: current.spec, secrets: [] };
  };
  return await runOperation(
    context,
    { owner: request.owner, name, verb: 'down', data, decide },
    async ({ deployment, lease, operation }, { planned }) => {
      const identity = identityOf(deployment);
      const inventory = await store.inventory(deployment.id);
      const kept = data === 'keep' ? dataVolumes(inventory) : new Set<string>();
      const isMeant = (one: { readonly kind: string; readonly key: string }): boolean =>
        one.kind !== 'volume' || data === 'delete' || isScratch(inventory, one.key);
      const plan = diff({
        deployment: name,
        generation: deployment.generation,
        blueprint: deployment.spec.digest,
        desired: [],
        recorded: inventory.filter(isMeant),
        observation: onlyMeant(await driver.observe(identity, signal), isMeant),
        mayDelete: () => data === 'delete',
      });
      await planned(plan);
      await execute(context, {
        lease,
        operation: operation.id,
        deployment: identity,
        plan,
        onFailure: 'continue',
      });
      checkGone(onlyMeant(await driver.observe(identity, signal), isMeant));
      return {
        spec: data === 'keep' ? { ...withoutPrevious(deployment.spec), lifecycle: 'kept' } : null,
        answer: { name, removed: plan.steps.length, keptVolumes: [...kept].sort() },
      };
    },
  );
}

function dataVolumes(inventory: readonly Recorded[]): ReadonlySet<string> {
  const volumes = inventory.filter((one) => one.kind === 'volume' && one.state.kind === 'data');
  return new Set(volumes.map((one) => one.key));
}

function isScratch(inventory: readonly Recorded[], volume: string): boolean {
  return inventory.some((one) => one.kind === 'volume' && one.key === volume && one.state.kind === 'scratch');
}

function onlyMeant(
  observation: Observation,
  isMeant: (one: Observation['objects'][number]) => boolean,
): Observation {
  return { objects: observation.objects.filter(exists).filter(isMeant) };
}

function checkGone({ objects }: Observation): void {
  if (objects.length === 0) return;
  const names = objects.map(({ kind, key }) => `${kind} ${key}`);
  throw new EngineError('TOOL_FAILED', `still there after its removal: ${names.join(', ')}`, {
    hint: 'Run the same command again; what is in the way is named above.',
    details: { objects: names },
  });
}
