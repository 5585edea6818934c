import { canonicalJson } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { isExit, type ObjectKind, type Step } from '../../model/step.ts';
import type { Thing } from './world.ts';

type Ensure = Extract<Step, { action: 'ensure' }>;
type ThingOf<K extends ObjectKind> = Extract<Thing, { readonly kind: K }>;

/**
 * Tells why a provider would refuse to bring something to a state now; undefined when it would not.
 *
 * What real providers refuse: an instance without its network, policy, image or volumes; a policy without a
 * network; a volume that changes while it is mounted, or shrinks; an address where somebody listens already.
 *
 * @param things - of the deployment
 * @param others - of all other deployments
 */
export function refusalToEnsure(
  step: Ensure,
  things: readonly Thing[],
  others: readonly Thing[],
): EngineError | undefined {
  switch (step.kind) {
    case 'network':
    case 'image':
      return undefined;
    case 'policy':
      return networkOf(things) ? undefined : refused(step, 'there is no network');
    case 'volume': {
      const made = find(things, 'volume', step.key);
      if (!made || canonicalJson(made.state) === canonicalJson(step.desired)) return undefined;
      const { restored } = step.desired;
      const isKept = things.some((thing) => thing.kind === 'snapshot' && thing.key === restored);
      if (restored !== undefined && restored !== made.state.restored && !isKept)
        return refused(step, 'the snapshot is not there');
      if (made.state.sizeBytes > step.desired.sizeBytes) return refused(step, 'it would shrink');
      return isMounted(step.key, things) ? refused(step, 'it is mounted') : undefined;
    }
    case 'snapshot':
      return step.desired.volumes.every((key) => find(things, 'volume', key)?.fingerprint)
        ? undefined
        : refused(step, 'a volume is not there');
    case 'instance':
      return refusalOfInstance(step, things);
    case 'endpoint': {
      if (!networkOf(things)) return refused(step, 'there is no network');
      if (isExit(step.desired)) return undefined; // it listens in the deployment's own network
      const wanted = canonicalJson(step.desired.listen);
      const neighbours = [...others, ...things.filter((thing) => thing.key !== step.key)];
      const isTaken = neighbours.some(
        (thing) =>
          thing.kind === 'endpoint' && !isExit(thing.state) && canonicalJson(thing.state.listen) === wanted,
      );
      const { address, port } = step.desired.listen;
      return isTaken ? new EngineError('ADDRESS_TAKEN', `${address}:${port} is in use`) : undefined;
    }
    default:
      return step satisfies never;
  }
}

/** Tells why a provider would refuse to remove something now: somebody uses it. */
export function refusalToRemove(step: Step, things: readonly Thing[]): EngineError | undefined {
  const instances = things.filter((thing) => thing.kind === 'instance');
  const isUsed = (() => {
    switch (step.kind) {
      case 'network':
        return things.some((thing) => ['instance', 'endpoint', 'policy'].includes(thing.kind));
      case 'policy':
        return instances.some((thing) => thing.isOn);
      case 'image':
        return instances.some((thing) => thing.isOn && thing.state.image === step.key);
      case 'volume':
        return isMounted(step.key, things);
      case 'snapshot':
      case 'instance':
      case 'endpoint':
        return false;
      default:
        return step satisfies never;
    }
  })();
  return isUsed ? refused(step, 'it is in use') : undefined;
}

function refusalOfInstance(
  step: Extract<Ensure, { kind: 'instance' }>,
  things: readonly Thing[],
): EngineError | undefined {
  const { address, mac, image, layers, volumes, gateway } = step.desired;
  if (networkOf(things)?.state.gateway !== gateway) return refused(step, 'its network is not there');
  const members = find(things, 'policy', 'wires')?.state.members ?? [];
  const member = members.find((one) => one.instance === step.key);
  if (member?.address !== address || member.mac !== mac) return refused(step, 'no policy names it');
  const ready = find(things, 'image', image);
  if (!ready?.fingerprint || canonicalJson(ready.state.layers) !== canonicalJson(layers)) {
    return refused(step, 'its image is not there');
  }
  for (const { key, sizeBytes } of volumes) {
    const volume = find(things, 'volume', key);
    if (!volume?.fingerprint || volume.state.sizeBytes !== sizeBytes) {
      return refused(step, `its volume ${key} is not there`);
    }
  }
  return undefined;
}

function find<K extends ObjectKind>(things: readonly Thing[], kind: K, key: string): ThingOf<K> | undefined {
  return things.find((thing): thing is ThingOf<K> => thing.kind === kind && thing.key === key);
}

function networkOf(things: readonly Thing[]): ThingOf<'network'> | undefined {
  const network = find(things, 'network', 'network');
  return network?.fingerprint ? network : undefined;
}

function isMounted(volume: string, things: readonly Thing[]): boolean {
  return things.some(
    (thing) =>
      thing.kind === 'instance' && thing.isOn && thing.state.volumes.some((one) => one.key === volume),
  );
}

function refused(step: Step, why: string): EngineError {
  return new EngineError('TOOL_FAILED', `${step.kind} ${step.key} is refused: ${why}`);
}
