import type { Desired, Step } from '../model/step.ts';
import type { JournaledOperation, Recorded } from '../model/store.ts';
import { isAtRisk } from './data-at-risk.ts';
import { grown } from './grown.ts';

/** What existed before some operations began. */
export type StateBefore = {
  readonly desired: readonly Desired[];
  /** Volumes that these operations made; undoing them takes their data along. */
  readonly madeVolumes: ReadonlySet<string>;
};

/**
 * Finds the state to which undoing leads: the recorded one, with every started step taken back, but the growth of
 * volumes, which cannot be, and the removal of snapshots, which cannot be taken of what was.
 *
 * Data that the operations put at risk are taken back to the snapshots that they took; all other data stay as they are now.
 *
 * @param operations - newest first, as the store gives them
 */
export function stateBefore(
  recorded: readonly Recorded[],
  operations: readonly JournaledOperation[],
): StateBefore {
  const objects = new Map<string, Desired>(recorded.map((one) => [nameOf(one), desiredOf(one)]));
  const madeVolumes = new Set<string>();
  const all: Step[] = [];
  for (const { operation, steps } of operations) {
    const states = new Map(steps.map((step) => [step.id, step]));
    const started = (operation.plan?.steps ?? [])
      .filter((step) => (states.get(step.id)?.order ?? null) !== null)
      .sort((a, b) => (states.get(b.id)?.order ?? 0) - (states.get(a.id)?.order ?? 0));
    for (const step of started) {
      all.push(step);
      if (step.kind === 'snapshot' && step.action === 'remove') continue;
      if (step.before === null) objects.delete(nameOf(step));
      // a step's state before is of the step's own kind
      else objects.set(nameOf(step), { kind: step.kind, key: step.key, state: step.before } as Desired);
      if (step.kind !== 'volume') continue;
      if (step.before === null) madeVolumes.add(step.key);
      else madeVolumes.delete(step.key);
    }
  }
  const restored = restoredBy(recorded, all, objects);
  const desired = grown([...objects.values()], recorded).map((one) => {
    if (one.kind !== 'volume') return one;
    const { restored: _, ...state } = one.state;
    const to = restored.get(one.key);
    return { ...one, state: { ...state, ...(to !== undefined && { restored: to }) } };
  });
  return { desired, madeVolumes };
}

/** Finds the snapshot of each volume to which its data are taken back, or were for good. */
function restoredBy(
  recorded: readonly Recorded[],
  started: readonly Step[],
  before: ReadonlyMap<string, Desired>,
): ReadonlyMap<string, string> {
  const restored = new Map<string, string>();
  // what was taken back once is never taken forth again
  for (const { kind, key, state } of recorded)
    if (kind === 'volume' && state.restored !== undefined) restored.set(key, state.restored);
  const made = new Set(
    started.flatMap((step) => (step.kind === 'snapshot' && step.before === null ? [step.key] : [])),
  );
  for (const one of recorded) {
    if (one.kind !== 'snapshot' || !one.isSettled || !made.has(one.key)) continue;
    if (!isAtRisk(one.state, started, before)) continue;
    for (const volume of one.state.volumes) restored.set(volume, one.key);
  }
  return restored;
}

function nameOf(object: { readonly kind: string; readonly key: string }): string {
  return `${object.kind} ${object.key}`;
}

function desiredOf({ kind, key, state }: Recorded): Desired {
  return { kind, key, state } as Desired;
}
