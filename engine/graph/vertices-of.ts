import { createVertexGraph, type VertexGraph } from '../formats/graphlib.ts';
import type { GraphView } from '../model/graph-view.ts';

/** Gives the appliances and wires of a view as a graph of paths. */
export function verticesOf(view: GraphView): VertexGraph {
  const graph = createVertexGraph();
  for (const { path } of view.nodes) graph.addVertex(path);
  for (const { from, to } of view.edges) if (from.path !== to.path) graph.addEdge(from.path, to.path);
  return graph;
}
