import type { Capabilities } from '../model/pool.ts';
import type { Desired } from '../model/step.ts';
import type { DecisionBasis, DeploymentSpec, PreviousVersion } from '../model/store.ts';
import { snapshotsOf } from '../plan/snapshots.ts';
import type { Intent } from './intent.ts';

/**
 * Writes down how a deployment is before its version changes, so that it can be brought back to it. Pure.
 *
 * An upgrade that is taken up again keeps what its first attempt wrote down.
 *
 * @param at - milliseconds since 1970
 */
export function previousVersion(
  { current, unfinished, inventory }: DecisionBasis,
  intent: Extract<Intent, { readonly kind: 'up' }>,
  { snapshots }: Pick<Capabilities, 'snapshots'>,
  at: number,
): PreviousVersion {
  const planned = unfinished.find(({ operation }) => operation.plan !== null);
  const known = current?.spec.before;
  if (planned && known) return known;
  const taken = snapshots ? snapshotsOf(inventory, (current?.generation ?? 0) + 1) : [];
  return {
    spec: withoutPrevious(intent.spec),
    objects: intent.desired.filter(({ kind }) => kind !== 'snapshot'),
    snapshots: taken,
    at,
  };
}

/** Gives a decision without the version before it: one step back is remembered, and no more. */
export function withoutPrevious({ before: _, ...spec }: DeploymentSpec): DeploymentSpec {
  return spec;
}

/** Gives objects with the snapshots that a change of version takes, in place of all others. */
export function withSnapshots(objects: readonly Desired[], before: PreviousVersion): readonly Desired[] {
  return [...objects.filter(({ kind }) => kind !== 'snapshot'), ...before.snapshots];
}
