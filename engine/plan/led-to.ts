import type { InstanceState } from '../model/step.ts';

/**
 * Lists the peers to which an instance is newly led, beside others to which the same terminal led before.
 *
 * A terminal that led nowhere before has nobody to go on with, so its first peers are not among them.
 */
export function newlyLedTo(before: InstanceState, after: InstanceState): readonly string[] {
  const names = Object.entries(after.scope.terminals).flatMap(([terminal, { direction, peers }]) => {
    if (direction !== 'out') return [];
    const known = new Set((before.scope.terminals[terminal]?.peers ?? []).map((peer) => peer.name));
    return known.size === 0 ? [] : peers.map((peer) => peer.name).filter((name) => !known.has(name));
  });
  return [...new Set(names)];
}

/** Tells whether one of an instance's outs leads to one of some others. */
export function isLedTo(state: InstanceState, others: ReadonlySet<string>): boolean {
  return Object.values(state.scope.terminals).some(
    ({ direction, peers }) => direction === 'out' && peers.some((peer) => others.has(peer.name)),
  );
}
