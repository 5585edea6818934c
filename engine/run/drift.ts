import type { Observation, ObservedInstance } from '../model/observation.ts';
import type { Drift } from '../model/status.ts';
import type { InstanceState } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';
import { changeOf, exists, type Found, isOver } from '../plan/change.ts';

/** How often a deployment is repaired within an hour before it is left for a person. */
export const repairsInAnHour = 3;

/**
 * Finds what is not as it is recorded, and what is recorded as it should be and still does no work. Pure.
 *
 * Of a deployment on which nothing is under way. Whatever it finds, but an instance that is not healthy, planning repairs.
 */
export function driftOf(inventory: readonly Recorded[], { objects }: Observation): readonly Drift[] {
  const found = new Map(objects.map((one) => [`${one.kind} ${one.key}`, one]));
  return inventory.flatMap((recorded) => {
    const seen = found.get(`${recorded.kind} ${recorded.key}`);
    const what = isAdrift(recorded, seen) ? wordOf(seen) : isUnwell(seen) ? 'unhealthy' : undefined;
    return what === undefined ? [] : [{ kind: recorded.kind, key: recorded.key, what }];
  });
}

/** Tells of an instance that runs that it is not healthy. One that is only starting is not, either. */
export function isUnwell(seen: Found | undefined): seen is ObservedInstance {
  return seen?.kind === 'instance' && seen.condition === 'running' && seen.healthy === false;
}

/**
 * Of instances that are not healthy, chooses those to blame: the ones that depend on no other of them. Pure.
 *
 * @param unwell - names
 * @returns all of them when each depends on another
 */
export function blamed(unwell: readonly string[], inventory: readonly Recorded[]): readonly string[] {
  const states = new Map<string, InstanceState>();
  for (const one of inventory) if (one.kind === 'instance') states.set(one.key, one.state);
  const others = new Set(unwell);
  const first = unwell.filter(
    (name) => !states.get(name)?.waits.some(({ peers }) => peers.some((peer) => others.has(peer.name))),
  );
  return first.length > 0 ? first : unwell;
}

function isAdrift(recorded: Recorded, seen: Found | undefined): boolean {
  return changeOf(recorded, recorded, seen, false) !== undefined;
}

function wordOf(seen: Found | undefined): Drift['what'] {
  if (!exists(seen)) return 'gone';
  if (seen.kind === 'instance') return isOver(seen.condition) ? 'ended' : 'changed';
  return seen.works ? 'changed' : 'broken';
}
