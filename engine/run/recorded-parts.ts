import { EngineError } from '../errors.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { Closure } from '../model/closure.ts';
import type { Recorded } from '../model/store.ts';

/** What a deployment runs, as it is recorded, so that more of the same can be made without its source. */
export type RecordedParts = {
  /** With the services and the probe that really run: what an image says of itself is in them. */
  readonly blueprint: Blueprint;
  readonly closure: Closure;
};

/**
 * Finds out from recorded instances what each appliance runs. Pure.
 *
 * @param blueprint - that the instances were made for; numbers of replicas may differ
 * @throws EngineError OPERATION_INTERRUPTED when an appliance has no instance, because the one that was to be made never was
 */
export function recordedParts(
  blueprint: Blueprint,
  recorded: readonly Recorded[],
  name: string,
): RecordedParts {
  const states = new Map(
    recorded.flatMap((one) => (one.kind === 'instance' ? [[one.state.appliance, one.state] as const] : [])),
  );
  const known = blueprint.appliances.map((appliance) => {
    const state = states.get(appliance.path);
    if (state) return { appliance, state };
    throw new EngineError('OPERATION_INTERRUPTED', `${appliance.path} of ${name} was never made`, {
      hint: 'Run `up` with its source again.',
      details: { appliance: appliance.path },
    });
  });
  const [first] = known;
  if (!first) throw new EngineError('INTERNAL_ERROR', 'an application without appliances was deployed');
  // contents lie on top of the image, one layer each
  const parts = known.map(({ appliance: { path, contents }, state: { layers } }) => {
    const own = layers.length - contents.length;
    return { path, image: layers.slice(0, own), contents: layers.slice(own) };
  });
  return {
    blueprint: {
      ...blueprint,
      appliances: known.map(({ appliance, state: { services, health } }) => ({
        ...appliance,
        services,
        ...(health && { health }),
      })),
    },
    closure: {
      kit: first.state.kit,
      images: new Map(parts.map(({ path, image }) => [path, image])),
      contents: new Map(parts.map(({ path, contents }) => [path, contents])),
    },
  };
}
