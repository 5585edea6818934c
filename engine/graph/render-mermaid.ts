import { type GraphNode, type GraphView, goesOut } from '../model/graph-view.ts';
import { type NestedGroup, nestingOf } from './nesting.ts';

/** Writes a graph as a Mermaid flowchart; assemblies become subgraphs. */
export function renderMermaid(view: GraphView): string {
  const ids = new Map(view.nodes.map(({ path }, index) => [path, `n${index}`]));
  const idOf = (path: string) => ids.get(path) ?? '';
  const lines = ['flowchart LR', ...groupLines(nestingOf(view.nodes), idOf, '  ')];
  for (const [index, one] of view.doors.entries()) {
    const { direction, name, path, protocol, port } = one;
    const label = quote(labelOf(protocol, port));
    const door = `d${index}([${quote(direction === 'external' ? `world: ${name}` : name)}])`;
    lines.push(
      goesOut(one) ? `  ${idOf(path)} -->|${label}| ${door}` : `  ${door} -->|${label}| ${idOf(path)}`,
    );
  }
  for (const { from, to, protocol, port, isOrdered } of view.edges) {
    const arrow = isOrdered ? '-->' : '-.->';
    const label = quote(`${from.terminal}: ${labelOf(protocol, port)}`);
    lines.push(`  ${idOf(from.path)} ${arrow}|${label}| ${idOf(to.path)}`);
  }
  return `${lines.join('\n')}\n`;
}

function groupLines(group: NestedGroup, idOf: (path: string) => string, indent: string): readonly string[] {
  return [
    ...group.nodes.map((node) => `${indent}${idOf(node.path)}${shapeOf(node)}`),
    ...group.groups.flatMap((inner, index) => [
      `${indent}subgraph g${indent.length}_${index}_${idOf(inner.nodes[0]?.path ?? '')}[${quote(inner.path)}]`,
      ...groupLines(inner, idOf, `${indent}  `),
      `${indent}end`,
    ]),
  ];
}

function shapeOf({ path, uses, replicas, volumes }: GraphNode): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const text = quote(`${name}${replicas > 1 ? ` × ${replicas}` : ''}<br/>${uses}`);
  return volumes.length > 0 ? `[(${text})]` : `[${text}]`;
}

function labelOf(protocol: string, port: number | undefined): string {
  return port === undefined ? protocol : `${protocol} ${port}`;
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '#quot;')}"`;
}
