import type { FindingSink } from '../model/finding.ts';
import { endName, type Wire, wireSpot } from './connect-wires.ts';
import { findCycles } from './find-cycles.ts';
import type { Part, Tree } from './tree.ts';

/**
 * Puts appliances in start order: each after those that its outs are wired to; ties by path, in code-unit order.
 *
 * Reports every cycle as a path from its first appliance by name, with a wire to cut.
 *
 * @returns all parts; those on a cycle and behind one stand last, by path
 * Cost O((n + m) log n).
 */
export function orderAppliances(tree: Tree, wires: readonly Wire[], sink: FindingSink): readonly Part[] {
  const sorted = tree.parts.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const rankOf = new Map(sorted.map((part, rank) => [part, rank]));
  const edges = wires
    .filter(({ isOrdered }) => isOrdered)
    .map((wire) => ({ wire, from: rankOf.get(wire.from.part) ?? 0, to: rankOf.get(wire.to.part) ?? 0 }));
  const waiters = groupByTarget(sorted.length, edges);
  const waitsFor = new Int32Array(sorted.length);
  for (const { from } of edges) waitsFor[from] = (waitsFor[from] ?? 0) + 1;

  const ready = createHeap();
  for (const rank of sorted.keys()) if (waitsFor[rank] === 0) ready.push(rank);
  const order: Part[] = [];
  const done = new Uint8Array(sorted.length);
  for (let rank = ready.pop(); rank !== undefined; rank = ready.pop()) {
    const part = sorted[rank];
    if (part !== undefined) order.push(part);
    done[rank] = 1;
    for (const waiter of waiters(rank)) {
      const left = (waitsFor[waiter] ?? 0) - 1;
      waitsFor[waiter] = left;
      if (left === 0) ready.push(waiter);
    }
  }
  if (order.length === sorted.length) return order;

  const rest = edges.filter(({ from, to }) => done[from] === 0 && done[to] === 0);
  for (const cycle of findCycles(rest))
    reportCycle(
      cycle.map(({ wire }) => wire),
      sink,
    );
  return [...order, ...sorted.filter((_, rank) => done[rank] === 0)];
}

function reportCycle(cycle: readonly Wire[], sink: FindingSink): void {
  const closing = cycle.at(-1);
  if (closing === undefined) return;
  const path = [...cycle.map(({ from }) => from.part.path), closing.to.part.path];
  // The wire as it is written: inside an assembly, names are those of its description.
  const text = closing.scope.described.model.wires[closing.index]?.text.trim() ?? '';
  sink({
    code: 'WIRE_CYCLE',
    at: wireSpot(closing),
    message: `appliances wait for each other: ${path.join(' -> ')}`,
    hint: `Cut ${endName(closing.from)} -> ${endName(closing.to)}: write {wire: '${text}', order: none} if ${closing.from.part.path} can start first.`,
  });
}

/** Indexes edges by their target, without an object for each. */
function groupByTarget(
  count: number,
  edges: readonly { readonly from: number; readonly to: number }[],
): (target: number) => Int32Array {
  const starts = new Int32Array(count + 1);
  for (const { to } of edges) starts[to + 1] = (starts[to + 1] ?? 0) + 1;
  for (let index = 0; index < count; index += 1)
    starts[index + 1] = (starts[index + 1] ?? 0) + (starts[index] ?? 0);
  const next = starts.slice();
  const sources = new Int32Array(edges.length);
  for (const { from, to } of edges) {
    const slot = next[to] ?? 0;
    sources[slot] = from;
    next[to] = slot + 1;
  }
  return (target) => sources.subarray(starts[target], starts[target + 1]);
}

/** A heap that gives the smallest number first. */
function createHeap(): { push(value: number): void; pop(): number | undefined } {
  const values: number[] = [];
  const at = (index: number) => values[index] ?? Number.POSITIVE_INFINITY;
  return {
    push(value) {
      let index = values.length;
      values.push(value);
      while (index > 0 && at((index - 1) >> 1) > value) {
        values[index] = at((index - 1) >> 1);
        index = (index - 1) >> 1;
      }
      values[index] = value;
    },
    pop() {
      const smallest = values[0];
      const last = values.pop();
      if (last === undefined || values.length === 0) return smallest;
      let index = 0;
      for (;;) {
        const child = at(2 * index + 2) < at(2 * index + 1) ? 2 * index + 2 : 2 * index + 1;
        if (at(child) >= last) break;
        values[index] = at(child);
        index = child;
      }
      values[index] = last;
      return smallest;
    },
  };
}
