import type { Desired, Plan } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';

/**
 * Finds the state to which a plan leads: the recorded one, with every step of the plan taken. Pure.
 *
 * @param plan - null when nothing is under way: then the recorded state is the one that shall be
 */
export function stateAfter(recorded: readonly Recorded[], plan: Plan | null): readonly Desired[] {
  const objects = new Map<string, Desired>();
  // a recorded state is of the record's own kind, as a step's is of the step's
  for (const { kind, key, state } of recorded) objects.set(`${kind} ${key}`, { kind, key, state } as Desired);
  // in the plan's order: an instance that makes room for its volume goes and comes again
  for (const { kind, key, desired } of plan?.steps ?? []) {
    if (desired === null) objects.delete(`${kind} ${key}`);
    else objects.set(`${kind} ${key}`, { kind, key, state: desired } as Desired);
  }
  return [...objects.values()];
}
