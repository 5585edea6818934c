import type { GraphDoor, GraphEdge, GraphNode, GraphView } from '../model/graph-view.ts';
import { rankVertices } from './rank-vertices.ts';
import { verticesOf } from './vertices-of.ts';

/** Writes a graph for a terminal of 80 columns: appliances from the doors inwards, each with its wires. */
export function renderText(view: GraphView): string {
  const nodes = new Map(view.nodes.map((node) => [node.path, node]));
  const wires = Map.groupBy(view.edges, ({ from }) => from.path);
  const doors = Map.groupBy(view.doors, ({ path }) => path);
  const width = Math.max(0, ...view.nodes.map(({ path }) => path.length));
  const blocks = [...rankVertices(verticesOf(view)).keys()].map((path) => {
    const node = nodes.get(path);
    const lines = [...(doors.get(path) ?? []).map(doorLine), ...(wires.get(path) ?? []).map(wireLine)];
    return [node === undefined ? path : nodeLine(node, width), ...lines].join('\n');
  });
  return `${[view.title, ...blocks].join('\n\n')}\n`;
}

function nodeLine({ path, uses, replicas, volumes, contents }: GraphNode, width: number): string {
  const details = [
    uses,
    ...(replicas > 1 ? [`${replicas} replicas`] : []),
    ...volumes.map((name) => `volume ${name}`),
    ...contents.map((name) => `content ${name}`),
  ];
  return `${path.padEnd(width)}  ${details.join(', ')}`;
}

function wireLine({ from, to, protocol, port, isOrdered, names = [] }: GraphEdge): string {
  const ends = `  ${from.terminal} -> ${to.path}.${to.terminal}`;
  const notes = [...names.map((name) => `, ${name}`), ...(isOrdered ? [] : [', not waited for'])];
  return line(ends, protocol, port, notes.join(''));
}

function doorLine({ direction, name, terminal, protocol, port, isExit }: GraphDoor): string {
  switch (direction) {
    case 'external':
      return line(isExit ? `  ${terminal} -> the world` : `  world -> ${terminal}`, protocol, port);
    case 'in':
      return line(`  boundary ${name} -> ${terminal}`, protocol, port);
    case 'out':
      return line(`  ${terminal} -> boundary ${name}`, protocol, port);
    default:
      return direction satisfies never;
  }
}

function line(ends: string, protocol: string, port: number | undefined, note = ''): string {
  return `${ends.padEnd(36)}  ${protocol}${port === undefined ? '' : ` ${port}`}${note}`.trimEnd();
}
