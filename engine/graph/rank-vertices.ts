import type { VertexGraph } from '../formats/graphlib.ts';

/**
 * Gives each vertex its layer: 0 where nothing leads to, else one more than the highest vertex that leads to it.
 *
 * On a cycle, the vertex that stands first among those waiting is taken as if nothing led to it.
 *
 * @returns by vertex, lowest layers first; inside a layer in the order of the graph
 * Cost O(vertices + edges) without cycles.
 */
export function rankVertices(graph: VertexGraph): ReadonlyMap<string, number> {
  const waiting = new Map(graph.vertices().map((name) => [name, graph.sourcesOf(name).length]));
  const layer = new Map(graph.vertices().map((name) => [name, 0]));
  const ready = graph.vertices().filter((name) => waiting.get(name) === 0);
  for (const name of ready) waiting.delete(name);
  let next = 0;
  while (next < ready.length || waiting.size > 0) {
    if (next === ready.length) {
      const [stuck] = waiting.keys();
      if (stuck === undefined) break;
      waiting.delete(stuck);
      ready.push(stuck);
    }
    const name = ready[next] ?? '';
    next += 1;
    for (const target of graph.targetsOf(name)) {
      const left = waiting.get(target);
      if (left === undefined) continue;
      layer.set(target, Math.max(layer.get(target) ?? 0, (layer.get(name) ?? 0) + 1));
      if (left > 1) waiting.set(target, left - 1);
      else {
        waiting.delete(target);
        ready.push(target);
      }
    }
  }
  return new Map([...layer].sort(([, a], [, b]) => a - b));
}
