import type { Digest } from '../digest.ts';
import type { Observation } from '../model/observation.ts';
import { type Desired, isExit, type Plan } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';
import { StepList } from './step-list.ts';

/** What {@link diff} compares. */
export type DiffRequest = {
  /** Name of the deployment. */
  readonly deployment: string;
  readonly generation: number;
  readonly blueprint: Digest;
  readonly desired: readonly Desired[];
  readonly recorded: readonly Recorded[];
  readonly observation: Observation;
  /** Instances that are to be replaced though nothing is wrong with them but their health. */
  readonly unwell?: ReadonlySet<string>;
  /** Tells of a data volume that is not desired whether its data may be deleted; otherwise it stays as it is. */
  readonly mayDelete: (volume: string) => boolean;
};

/**
 * Finds the steps that bring what exists to what is desired. Pure.
 *
 * Executing a plan and comparing again gives none. All that is recorded or found and not desired is removed, but
 * data volumes. The order, each position for a reason:
 *
 * 0. snapshots, while nothing has changed yet
 * 1. endpoints that go, so nobody is led to something half-gone
 * 2. the network, then the policy, which both stand before an instance can send its first packet; images meanwhile
 * 3. instances that are led to others that go are told, so that they lead nobody there any more
 * 4. instances that go or let go of a volume, which makes room for those that come; then the policy, if all that it has
 *    to do is to forget those that went
 * 5. volumes, while nobody has the changed ones mounted
 * 6. instances, all at once; but whoever is led to one more replica is told when that is healthy, and replicas that are
 *    replaced while they run go one at a time, each when the one before is healthy; then endpoints
 * 7. what nobody uses any more: snapshots, once all that came is healthy, then volumes, images, policy, network
 */
export function diff(request: DiffRequest): Plan {
  const list = new StepList(request);
  const frozen = list.ensureAll('snapshot', () => []);
  const closed = list.removeAll('endpoint', frozen);
  const network = list.ensureAll('network', () => []);
  const isNarrowed = network.length === 0 && list.isPolicyOnlyNarrowed();
  const opening = isNarrowed ? [] : list.ensureAll('policy', () => network);
  list.ensureAll('image', () => []);

  const told = list.tellOfLeaving(({ state }) => [
    ...frozen,
    ...network,
    ...opening,
    ...list.stepsOn('image', [state.image]),
  ]);
  const stopped = [
    ...list.removeAll('instance', [...frozen, ...closed, ...told]),
    ...list.detachAll([...frozen, ...closed]),
  ];
  const policy = [...opening, ...list.ensureAll('policy', () => [...network, ...stopped])];
  list.ensureAll('volume', (volume) => [...frozen, ...list.detachersOf(volume.key)]);
  list.ensureAll('instance', ({ state }) => [
    ...frozen,
    ...network,
    ...policy,
    ...stopped,
    ...list.stepsOn('image', [state.image]),
    ...list.stepsOn(
      'volume',
      state.volumes.map((volume) => volume.key),
    ),
  ]);
  list.ensureAll('endpoint', ({ state }) => [
    ...network,
    ...policy,
    // whoever is behind a door that leads in is there first; one that leads out is there when the first asks
    ...list.stepsOn('instance', isExit(state) ? [] : state.targets.map((target) => target.name)),
  ]);

  const thawed = list.removeSnapshots([...stopped, ...list.ensured('volume'), ...list.ensured('instance')]);
  list.removeAll('volume', [...stopped, ...thawed]);
  list.removeAll('image', [...stopped, ...list.ensured('instance')]);
  const opened = list.removeAll('policy', stopped);
  list.removeAll('network', [...closed, ...stopped, ...opened]);
  return {
    deployment: request.deployment,
    generation: request.generation,
    blueprint: request.blueprint,
    steps: list.steps,
    losesData: list.losesData,
  };
}
