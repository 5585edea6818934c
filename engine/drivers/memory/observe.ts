import type { Observation, ObservedInstance } from '../../model/observation.ts';
import type { Thing } from './world.ts';

type Instance = Extract<Thing, { readonly kind: 'instance' }>;

/**
 * Tells what would be seen of things: services start when those that they wait for are up.
 *
 * @param isWell - tells of an instance that runs whether its probe is content
 */
export function observationOf(
  things: readonly Thing[],
  isWell: (state: Instance['state']) => boolean = () => true,
): Observation {
  const instances = new Map<string, Instance>();
  for (const thing of things) if (thing.kind === 'instance') instances.set(thing.key, thing);
  return {
    objects: things.map((thing) => {
      const { key, generation, fingerprint } = thing;
      if (thing.kind !== 'instance') {
        return { kind: thing.kind, key, generation, fingerprint, works: fingerprint !== null };
      }
      return { kind: 'instance', key, generation, fingerprint, ...conditionOf(thing, instances, isWell) };
    }),
  };
}

function conditionOf(
  instance: Instance,
  instances: ReadonlyMap<string, Instance>,
  isWell: (state: Instance['state']) => boolean,
): Pick<ObservedInstance, 'condition' | 'healthy' | 'message'> {
  if (!instance.isOn) return { condition: 'stopped', healthy: null, message: 'it was switched off' };
  if (instance.state.isHeld) return { condition: 'held', healthy: null, message: '' };
  const missing = missingFor(instance, instances);
  if (missing !== undefined) return { condition: 'waiting', healthy: null, message: `waits for ${missing}` };
  if (!isWell(instance.state)) return { condition: 'running', healthy: false, message: 'its probe fails' };
  return { condition: 'running', healthy: instance.state.health ? true : null, message: '' };
}

function missingFor(
  instance: Instance,
  instances: ReadonlyMap<string, Instance>,
  waiting: readonly string[] = [],
): string | undefined {
  const isUp = (name: string): boolean => {
    const peer = instances.get(name);
    // those that wait for each other wait for ever
    if (!peer?.isOn || peer.state.isHeld || waiting.includes(name)) return false;
    return missingFor(peer, instances, [...waiting, instance.key]) === undefined;
  };
  return instance.state.waits.find(({ peers }) => !peers.some((peer) => isUp(peer.name)))?.terminal;
}
