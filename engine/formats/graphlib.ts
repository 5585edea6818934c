import { Graph } from '@dagrejs/graphlib';

/** A directed graph of named vertices, with at most one edge from one to another. */
export type VertexGraph = {
  addVertex(name: string): void;
  /** Both ends must have been added. */
  addEdge(from: string, to: string): void;
  /** In the order in which they were added. */
  vertices(): readonly string[];
  targetsOf(name: string): readonly string[];
  sourcesOf(name: string): readonly string[];
};

/**
 * Makes a graph without vertices.
 *
 * graphlib looks names up in plain objects, where `constructor` is always known, so names are marked before they go
 * in. Its algorithms are left alone: they recurse, and a chain of ten thousand appliances overflows the stack.
 */
export function createVertexGraph(): VertexGraph {
  const graph = new Graph({ directed: true });
  const mark = (name: string) => `:${name}`;
  const unmark = (marked: string) => marked.slice(1);
  return {
    addVertex: (name) => void graph.setNode(mark(name)),
    addEdge: (from, to) => void graph.setEdge(mark(from), mark(to)),
    vertices: () => graph.nodes().map(unmark),
    targetsOf: (name) => (graph.successors(mark(name)) ?? []).map(unmark),
    sourcesOf: (name) => (graph.predecessors(mark(name)) ?? []).map(unmark),
  };
}
