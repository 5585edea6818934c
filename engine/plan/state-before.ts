import type { Desired } from '../model/step.ts';
import type { JournaledOperation, Recorded } from '../model/store.ts';

/** What existed before some operations began. */
export type StateBefore = {
  readonly desired: readonly Desired[];
  /** Volumes that these operations made; undoing them takes their data along. */
  readonly madeVolumes: ReadonlySet<string>;
};

/**
 * Finds the state to which undoing leads: the recorded one, with every started step taken back, but the growth of
 * volumes, which cannot be.
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
  const sizes = new Map(
    recorded.flatMap((one) => (one.kind === 'volume' ? [[one.key, one.state.sizeBytes]] : [])),
  );
  return { desired: [...objects.values()].map((one) => grown(one, sizes)), madeVolumes };
}

function grown(object: Desired, sizes: ReadonlyMap<string, number>): Desired {
  const sizeOf = (key: string, sizeBytes: number): number => Math.max(sizeBytes, sizes.get(key) ?? 0);
  if (object.kind === 'volume') {
    const { key, state } = object;
    return { ...object, state: { ...state, sizeBytes: sizeOf(key, state.sizeBytes) } };
  }
  if (object.kind !== 'instance') return object;
  const { state } = object;
  const volumes = state.volumes.map((one) => ({ ...one, sizeBytes: sizeOf(one.key, one.sizeBytes) }));
  const scopes = volumes.map(({ name, mount, sizeBytes }) => [name, { mount, sizeBytes }] as const);
  const scope = { ...state.scope, volumes: Object.fromEntries(scopes) };
  return { ...object, state: { ...state, volumes, scope } };
}

function nameOf(object: { readonly kind: string; readonly key: string }): string {
  return `${object.kind} ${object.key}`;
}

function desiredOf({ kind, key, state }: Recorded): Desired {
  return { kind, key, state } as Desired;
}
