import type { Desired } from '../model/step.ts';
import type { JournaledOperation, Recorded } from '../model/store.ts';

/** What existed before some operations began. */
export type StateBefore = {
  readonly desired: readonly Desired[];
  /** Volumes that these operations made; undoing them takes their data along. */
  readonly madeVolumes: ReadonlySet<string>;
};

/**
 * Finds the state to which undoing leads: the recorded one, with every started step taken back.
 *
 * @param operations - newest first, as the store gives them
 */
export function stateBefore(
  recorded: readonly Recorded[],
  operations: readonly JournaledOperation[],
): StateBefore {
  const objects = new Map<string, Desired>(recorded.map((one) => [nameOf(one), desiredOf(one)]));
  const madeVolumes = new Set<string>();
  for (const { operation, steps } of operations) {
    const states = new Map(steps.map((step) => [step.id, step]));
    const started = (operation.plan?.steps ?? [])
      .filter((step) => (states.get(step.id)?.order ?? null) !== null)
      .sort((a, b) => (states.get(b.id)?.order ?? 0) - (states.get(a.id)?.order ?? 0));
    for (const step of started) {
      if (step.before === null) objects.delete(nameOf(step));
      // a step's state before is of the step's own kind
      else objects.set(nameOf(step), { kind: step.kind, key: step.key, state: step.before } as Desired);
      if (step.kind !== 'volume') continue;
      if (step.before === null) madeVolumes.add(step.key);
      else madeVolumes.delete(step.key);
    }
  }
  return { desired: [...objects.values()], madeVolumes };
}

function nameOf(object: { readonly kind: string; readonly key: string }): string {
  return `${object.kind} ${object.key}`;
}

function desiredOf({ kind, key, state }: Recorded): Desired {
  return { kind, key, state } as Desired;
}
