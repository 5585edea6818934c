import type { Appliance } from '../model/appliance.ts';
import type { WireDescription } from '../model/assembly.ts';
import type { GraphDoor, GraphNode, GraphView } from '../model/graph-view.ts';
import type { Source } from '../model/source.ts';
import { leadsOut, type Terminal } from '../model/terminal.ts';
import { lookUpTerminal } from './boundary.ts';
import { collectProtocols } from './collect-protocols.ts';
import { connectWires } from './connect-wires.ts';
import { type Described, isAppliance, isAssembly } from './described.ts';
import { expandAssemblies } from './expand-assemblies.ts';
import { settleContents } from './settle-contents.ts';
import type { End, Tree } from './tree.ts';
import { validateDescriptions } from './validate-descriptions.ts';

/**
 * Shows an application, an assembly or a single appliance as a graph, with assemblies opened.
 *
 * Shows what can be understood of a source with problems.
 */
export function graphOfSource(source: Source): GraphView {
  const ignore = () => {};
  const describedBy = validateDescriptions(source, ignore);
  const tree = expandAssemblies(source, describedBy, ignore);
  const root = describedBy.get(source.root);
  if (tree === null) {
    return root !== undefined && root !== null && isAppliance(root)
      ? graphOfAppliance(root)
      : { title: source.root.text.file, kind: source.root.kind, nodes: [], edges: [], doors: [] };
  }
  const { name, version, kind } = tree.root.described.model;
  const contents = settleContents(tree, ignore);
  const { wires } = connectWires(tree, collectProtocols(describedBy, ignore), ignore);
  return {
    title: `${name} ${version}`,
    kind,
    nodes: tree.parts
      .map((part) => ({
        ...nodeOf(part.path, part.described, part.parent.use.replicas ?? 1),
        contents: (contents.get(part) ?? []).map((content) => content.name),
      }))
      .sort((a, b) => compare(a.path, b.path)),
    edges: wires
      .map(({ from, to, isOrdered, scope, index }) => ({
        from: { path: from.part.path, terminal: from.terminal.name },
        to: { path: to.part.path, terminal: to.terminal.name },
        protocol: to.terminal.protocol,
        ...portOf(to.terminal),
        isOrdered,
        ...namesOf(scope.described.model.wires[index]),
      }))
      .sort((a, b) => compare(a.from.path, b.from.path) || compare(a.from.terminal, b.from.terminal)),
    doors: doorsOf(tree).toSorted((a, b) => compare(a.name, b.name)),
  };
}

function graphOfAppliance(described: Described<Appliance>): GraphView {
  const { model } = described;
  return {
    title: `${model.name} ${model.version}`,
    kind: 'appliance',
    nodes: [nodeOf(model.name, described, 1)],
    edges: [],
    doors: [...model.terminals.values()].map((terminal) => doorOf(terminal, terminal.name, model.name)),
  };
}

function nodeOf(path: string, { model }: Described<Appliance>, replicas: number): GraphNode {
  return {
    path,
    uses: `${model.name} ${model.version}`,
    replicas,
    volumes: [...model.volumes.values()].filter(({ kind }) => kind === 'data').map(({ name }) => name),
    contents: [],
  };
}

function doorsOf(tree: Tree): readonly GraphDoor[] {
  const externals = tree.parts.flatMap((part) =>
    [...part.described.model.terminals.values()]
      .filter(({ direction }) => direction === 'external')
      .map((terminal) => doorOf(terminal, `${part.path}.${terminal.name}`, part.path)),
  );
  const { described } = tree.root;
  const names = isAssembly(described) ? [...described.model.terminals.keys()] : [];
  const shown = names.flatMap((name) => {
    const end = lookUpTerminal(tree.root, name);
    return end === 'silent' || 'missing' in end ? [] : [{ name, end: end satisfies End }];
  });
  return [...externals, ...shown.map(({ name, end }) => doorOf(end.terminal, name, end.part.path))];
}

function doorOf(terminal: Terminal, name: string, path: string): GraphDoor {
  const { direction, protocol } = terminal;
  return {
    direction,
    name,
    path,
    terminal: terminal.name,
    protocol,
    ...portOf(terminal),
    ...(leadsOut(terminal) && { isExit: true }),
  };
}

function portOf(terminal: Terminal): { readonly port?: number } {
  return terminal.direction !== 'out' && typeof terminal.port === 'number' ? { port: terminal.port } : {};
}

function namesOf(wire: WireDescription | undefined): { readonly names?: readonly string[] } {
  return wire?.names === undefined ? {} : { names: wire.names };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
