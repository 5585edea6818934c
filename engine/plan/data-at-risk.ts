import type { Desired, InstanceState, SnapshotState, Step } from '../model/step.ts';

/**
 * Tells of a snapshot whether some steps may have changed what it froze otherwise than in daily work. Pure.
 *
 * They have when they let another program onto the data, took the data back, or let an appliance of another version
 * carry out its hook `migrate` anywhere, which may reach what its wires lead to.
 *
 * @param started - steps that were begun
 * @param before - the objects before them, by kind and key
 */
export function isAtRisk(
  snapshot: SnapshotState,
  started: readonly Step[],
  before: ReadonlyMap<string, Desired>,
): boolean {
  return started.some((step) => {
    if (step.action !== 'ensure') return false;
    if (step.kind === 'volume') {
      const known = before.get(`volume ${step.key}`);
      const wasRestored = known?.kind === 'volume' ? known.state.restored : undefined;
      return snapshot.volumes.includes(step.key) && step.desired.restored !== wasRestored;
    }
    if (step.kind !== 'instance') return false;
    const known = before.get(`instance ${step.key}`);
    const was = known?.kind === 'instance' ? known.state : undefined;
    if (step.desired.hooks.migrate !== undefined && step.desired.uses.version !== was?.uses.version)
      return true;
    return step.key === snapshot.instance && (was === undefined || !isSameProgram(was, step.desired));
  });
}

function isSameProgram(before: InstanceState, after: InstanceState): boolean {
  const programs = [before, after].map(({ kit, layers, uses }) => [
    kit,
    uses.name,
    uses.version,
    ...layers.map(({ digest }) => digest),
  ]);
  const [first = [], second = []] = programs;
  return first.length === second.length && first.every((part, index) => part === second[index]);
}
