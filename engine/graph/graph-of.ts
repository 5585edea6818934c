import type { Blueprint } from '../model/blueprint.ts';
import type { GraphView } from '../model/graph-view.ts';

/** Shows a compiled application as a graph. */
export function graphOf(blueprint: Blueprint): GraphView {
  const { name, version } = blueprint.application;
  return {
    title: `${name} ${version}`,
    kind: 'application',
    nodes: blueprint.appliances
      .map(({ path, uses, replicas, volumes, contents }) => ({
        path,
        uses: `${uses.name} ${uses.version}`,
        replicas,
        volumes: volumes.filter(({ kind }) => kind === 'data').map((volume) => volume.name),
        contents: contents.map((content) => content.name),
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    edges: blueprint.wires.map(({ from, to, protocol, port, ordered }) => ({
      from: { path: from.appliance, terminal: from.terminal },
      to: { path: to.appliance, terminal: to.terminal },
      protocol,
      port,
      isOrdered: ordered,
    })),
    doors: blueprint.externals.map(({ appliance, terminal, protocol, port }) => ({
      direction: 'external',
      name: `${appliance}.${terminal}`,
      path: appliance,
      terminal,
      protocol,
      port,
    })),
  };
}
