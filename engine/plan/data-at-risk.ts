import type { Desired, InstanceState, SnapshotState, Step } from '../model/step.ts';

/**
 * Tells of a snapshot whether some steps may have changed what it froze otherwise than in daily work. Pure.
 *
 * They have when they let another program onto the data, took the data back, or let an appliance of another version
 * carry out its hook `migrate`, which may reach whatever its wires lead to, by way of others too.
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
    const { hooks, uses } = step.desired;
    if (hooks.migrate !== undefined && uses.version !== was?.uses.version)
      if (reachedFrom(step.key, step.desired, before).has(snapshot.instance)) return true;
    return step.key === snapshot.instance && (was === undefined || !isSameProgram(was, step.desired));
  });
}

/** Names the instances to which the wires of one lead, and those of these, itself included. */
function reachedFrom(
  name: string,
  state: InstanceState,
  before: ReadonlyMap<string, Desired>,
): ReadonlySet<string> {
  const reached = new Set([name]);
  const visit = ({ scope }: InstanceState): void => {
    for (const { direction, peers } of Object.values(scope.terminals)) {
      if (direction !== 'out') continue;
      for (const peer of peers) {
        if (reached.has(peer.name)) continue;
        reached.add(peer.name);
        const next = before.get(`instance ${peer.name}`);
        if (next?.kind === 'instance') visit(next.state);
      }
    }
  };
  visit(state);
  return reached;
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
