import type { DataDecision } from '../model/request.ts';
import type { Desired } from '../model/step.ts';
import type { DecisionBasis, DeploymentSpec, JournaledOperation } from '../model/store.ts';
import { stateAfter } from '../plan/state-after.ts';

/** What is recorded that shall become of a deployment. */
export type Intent =
  | { readonly kind: 'up'; readonly spec: DeploymentSpec; readonly desired: readonly Desired[] }
  | { readonly kind: 'down'; readonly data: DataDecision }
  | { readonly kind: 'rollback' }
  /** Stopped on request. */
  | { readonly kind: 'kept' }
  /** Its removal, which takes data along, was stopped by hand: whether it shall go on, a person says. */
  | { readonly kind: 'undecided' }
  /** It was to be made, and nothing of it was begun: what it shall be stands in its description alone. */
  | { readonly kind: 'unplanned' };

/**
 * Finds out what shall become of a deployment, from its records alone. Pure.
 *
 * An operation that was never planned changed nothing, so what counts is the one before it.
 */
export function intentOf({
  current,
  unfinished,
  inventory,
}: Pick<DecisionBasis, 'current' | 'unfinished' | 'inventory'>): Intent {
  const at = unfinished.findIndex(({ operation }) => operation.plan !== null);
  const planned = unfinished[at]?.operation;
  // an operation's decision stands in the record, until the next one puts it into its own `previous`
  const specAt = (index: number): DeploymentSpec | null =>
    index === 0 ? (current?.spec ?? null) : (unfinished[index - 1]?.operation.previous ?? null);
  if (planned?.verb === 'rollback') return { kind: 'rollback' };
  if (planned?.verb === 'down') {
    const data = planned.data ?? 'keep';
    return data === 'delete' && planned.state === 'interrupted'
      ? { kind: 'undecided' }
      : { kind: 'down', data };
  }
  const spec = specAt(planned ? at : unfinished.length);
  if (spec === null) return { kind: 'unplanned' };
  if (spec.lifecycle === 'kept') return { kind: 'kept' };
  return { kind: 'up', spec, desired: stateAfter(inventory, planned?.plan ?? null) };
}

/** Lists the operations that changed nothing and are given up when something else is done: those never planned. */
export function neverPlanned(unfinished: readonly JournaledOperation[]): readonly string[] {
  const at = unfinished.findIndex(({ operation }) => operation.plan !== null);
  return (at < 0 ? unfinished : unfinished.slice(0, at)).map(({ operation }) => operation.id);
}
