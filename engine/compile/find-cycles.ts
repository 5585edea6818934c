/** An edge between two numbered vertices. */
export type NumberedEdge = { readonly from: number; readonly to: number };

// Each one found costs a pass over what remains, and nobody mends more of them at once.
const maxCycles = 20;

/**
 * Finds cycles whose last edges, cut, leave no cycle (or the first {@link maxCycles} of them).
 *
 * Each is a shortest cycle through the smallest vertex of its strongly connected component, and begins there, so that
 * equal graphs give equal cycles.
 *
 * Cost O(cycles × (vertices + edges)); no recursion, so long chains do not overflow the stack.
 */
export function findCycles<E extends NumberedEdge>(edges: readonly E[]): readonly (readonly E[])[] {
  const cycles: E[][] = [];
  const waiting: (readonly E[])[] = [edges];
  for (let rest = waiting.pop(); rest !== undefined && cycles.length < maxCycles; rest = waiting.pop()) {
    for (const component of cyclicComponents(rest)) {
      if (cycles.length >= maxCycles) break;
      const cycle = shortestCycle(component);
      if (cycle.length === 0) continue;
      cycles.push(cycle);
      const cut = cycle.at(-1);
      waiting.push(component.filter((edge) => edge !== cut));
    }
  }
  return cycles.sort((a, b) => (a[0]?.from ?? 0) - (b[0]?.from ?? 0));
}

/** Gives the edges inside each strongly connected component that holds a cycle, ordered by its smallest vertex. */
function cyclicComponents<E extends NumberedEdge>(edges: readonly E[]): readonly (readonly E[])[] {
  const componentOf = connectedComponents(edges);
  const inside = new Map<number, E[]>();
  for (const edge of edges) {
    const component = componentOf.get(edge.from);
    if (component === undefined || component !== componentOf.get(edge.to)) continue;
    const list = inside.get(component) ?? [];
    list.push(edge);
    inside.set(component, list);
  }
  return [...inside.values()].sort((a, b) => smallestVertex(a) - smallestVertex(b));
}

function smallestVertex(edges: readonly NumberedEdge[]): number {
  return edges.reduce((smallest, { from }) => Math.min(smallest, from), Number.POSITIVE_INFINITY);
}

/**
 * Numbers the strongly connected components.
 *
 * @source Tarjan 1972, with a stack of its own in place of recursion
 */
function connectedComponents(edges: readonly NumberedEdge[]): ReadonlyMap<number, number> {
  const targets = targetsOf(edges);
  const indexOf = new Map<number, number>();
  const lowOf = new Map<number, number>();
  const componentOf = new Map<number, number>();
  const open: number[] = [];
  let components = 0;
  for (const root of targets.keys()) {
    if (indexOf.has(root)) continue;
    const path = [{ vertex: root, next: 0 }];
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const { vertex } = frame;
      if (frame.next === 0) {
        indexOf.set(vertex, indexOf.size);
        lowOf.set(vertex, indexOf.size - 1);
        open.push(vertex);
      }
      const target = targets.get(vertex)?.[frame.next]?.to;
      frame.next += 1;
      if (target !== undefined) {
        if (!indexOf.has(target)) path.push({ vertex: target, next: 0 });
        else if (!componentOf.has(target)) lower(lowOf, vertex, indexOf.get(target));
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) lower(lowOf, parent.vertex, lowOf.get(vertex));
      if (lowOf.get(vertex) !== indexOf.get(vertex)) continue;
      for (let member = open.pop(); member !== undefined; member = open.pop()) {
        componentOf.set(member, components);
        if (member === vertex) break;
      }
      components += 1;
    }
  }
  return componentOf;
}

function lower(lowOf: Map<number, number>, vertex: number, candidate: number | undefined): void {
  if (candidate !== undefined && candidate < (lowOf.get(vertex) ?? candidate + 1))
    lowOf.set(vertex, candidate);
}

/** Finds a shortest cycle through the smallest vertex of a strongly connected component, by breadth first search. */
function shortestCycle<E extends NumberedEdge>(edges: readonly E[]): E[] {
  const start = smallestVertex(edges);
  const targets = targetsOf(edges);
  const cameBy = new Map<number, E>();
  const queue = [start];
  for (const vertex of queue) {
    for (const edge of targets.get(vertex) ?? []) {
      if (edge.to === start) {
        const cycle = [edge];
        for (let at = edge.from; at !== start; ) {
          const before = cameBy.get(at);
          if (before === undefined) break;
          cycle.push(before);
          at = before.from;
        }
        return cycle.reverse();
      }
      if (cameBy.has(edge.to)) continue;
      cameBy.set(edge.to, edge);
      queue.push(edge.to);
    }
  }
  return [];
}

function targetsOf<E extends NumberedEdge>(edges: readonly E[]): ReadonlyMap<number, readonly E[]> {
  const targets = new Map<number, E[]>();
  for (const edge of edges) {
    const list = targets.get(edge.from) ?? [];
    list.push(edge);
    targets.set(edge.from, list);
    if (!targets.has(edge.to)) targets.set(edge.to, []);
  }
  for (const list of targets.values()) list.sort((a, b) => a.to - b.to);
  return targets;
}
