import { type GraphNode, type GraphView, goesOut } from '../model/graph-view.ts';
import { type NestedGroup, nestingOf } from './nesting.ts';

/** Writes a graph in the language of Graphviz; assemblies become clusters. */
export function renderDot(view: GraphView): string {
  const lines = [
    `digraph ${quote(view.title)} {`,
    '  rankdir=LR;',
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];',
    ...groupLines(nestingOf(view.nodes), '  '),
  ];
  for (const one of view.doors) {
    const { direction, name, path, terminal, protocol, port } = one;
    const door = quote(`door ${name}`);
    lines.push(
      `  ${door} [label=${quote(direction === 'external' ? `world\n${name}` : name)}, shape=ellipse];`,
    );
    const attributes = `[label=${quote(`${terminal}: ${labelOf(protocol, port)}`)}]`;
    lines.push(
      goesOut(one)
        ? `  ${quote(path)} -> ${door} ${attributes};`
        : `  ${door} -> ${quote(path)} ${attributes};`,
    );
  }
  for (const { from, to, protocol, port, isOrdered } of view.edges) {
    const label = quote(`${from.terminal}: ${labelOf(protocol, port)}`);
    const style = isOrdered ? '' : ', style=dashed';
    lines.push(`  ${quote(from.path)} -> ${quote(to.path)} [label=${label}${style}];`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

function groupLines(group: NestedGroup, indent: string): readonly string[] {
  return [
    ...group.nodes.map((node) => `${indent}${quote(node.path)} [label=${quote(textOf(node))}];`),
    ...group.groups.flatMap((inner) => [
      `${indent}subgraph ${quote(`cluster ${inner.path}`)} {`,
      `${indent}  label=${quote(inner.path)};`,
      ...groupLines(inner, `${indent}  `),
      `${indent}}`,
    ]),
  ];
}

function textOf({ path, uses, replicas }: GraphNode): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return `${name}${replicas > 1 ? ` × ${replicas}` : ''}\n${uses}`;
}

function labelOf(protocol: string, port: number | undefined): string {
  return port === undefined ? protocol : `${protocol} ${port}`;
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
