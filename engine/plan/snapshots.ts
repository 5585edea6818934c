import type { Desired } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';

type Snapshot = Extract<Desired, { readonly kind: 'snapshot' }>;

/**
 * Lists the snapshots that are to be taken of what instances have, one for each with data volumes. Pure.
 *
 * @param generation - that they are named by; one that is taken up again keeps its own, so that nothing is frozen twice
 */
export function snapshotsOf(recorded: readonly Recorded[], generation: number): readonly Snapshot[] {
  return recorded.flatMap((one): readonly Snapshot[] => {
    if (one.kind !== 'instance') return [];
    const { server, volumes } = one.state;
    const keys = volumes.filter(({ kind }) => kind === 'data').map(({ key }) => key);
    const isThere = keys.every((key) =>
      recorded.some((other) => other.kind === 'volume' && other.key === key),
    );
    if (keys.length === 0 || !isThere) return [];
    const state = { instance: one.key, server, volumes: keys };
    return [{ kind: 'snapshot', key: `${one.key}@${generation}`, state }];
  });
}

/**
 * Takes the data of volumes back to snapshots. Pure.
 *
 * @param objects - as they shall be
 * @param snapshots - that there are
 */
export function restoredTo(objects: readonly Desired[], snapshots: readonly Recorded[]): readonly Desired[] {
  const bySnapshot = snapshots.flatMap(({ kind, key, state }) =>
    kind === 'snapshot' ? state.volumes.map((volume) => [volume, key] as const) : [],
  );
  const byVolume = new Map(bySnapshot);
  return objects.map((one) => {
    const restored = one.kind === 'volume' ? byVolume.get(one.key) : undefined;
    return one.kind === 'volume' && restored !== undefined
      ? { ...one, state: { ...one.state, restored } }
      : one;
  });
}
