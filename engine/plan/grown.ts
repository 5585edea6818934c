import type { Desired } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';

/** Gives objects of the past the sizes that volumes have reached since, for these never shrink. Pure. */
export function grown(objects: readonly Desired[], recorded: readonly Recorded[]): readonly Desired[] {
  const sizes = new Map(
    recorded.flatMap((one) => (one.kind === 'volume' ? [[one.key, one.state.sizeBytes]] : [])),
  );
  return objects.map((one) => grownOne(one, sizes));
}

function grownOne(object: Desired, sizes: ReadonlyMap<string, number>): Desired {
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
