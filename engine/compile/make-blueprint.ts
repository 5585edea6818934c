import type {
  Blueprint,
  BlueprintAppliance,
  BlueprintExternal,
  BlueprintTerminal,
  BlueprintWire,
  Health,
} from '../model/blueprint.ts';
import type { PlacedContent } from '../model/closure.ts';
import { deepFreeze } from '../model/freeze.ts';
import { type ProtocolTable, transportOf } from '../model/protocol.ts';
import { tellsClients } from '../model/terminal.ts';
import { endName, type Wire } from './connect-wires.ts';
import type { Described } from './described.ts';
import type { SettledFiles } from './settle-files.ts';
import type { SettledNames } from './settle-names.ts';
import type { PortOf } from './settle-ports.ts';
import type { SettledProperties } from './settle-properties.ts';
import type { SettledResources } from './settle-resources.ts';
import type { Part, Tree } from './tree.ts';

/** Everything that the passes before have settled, without problems. */
export type Settled = {
  readonly tree: Tree;
  /** In start order. */
  readonly order: readonly Part[];
  readonly wires: readonly Wire[];
  readonly names: SettledNames;
  readonly protocols: ProtocolTable;
  readonly properties: SettledProperties;
  readonly resources: ReadonlyMap<Part, SettledResources>;
  readonly contents: ReadonlyMap<Part, readonly PlacedContent[]>;
  readonly files: ReadonlyMap<Described, SettledFiles>;
  readonly portOf: PortOf;
  readonly secrets: Blueprint['secrets'];
};

/** Puts what was settled together; undefined where a value is missing, which a problem has told. */
export function makeBlueprint(settled: Settled): Blueprint | undefined {
  const { tree, order, protocols, portOf } = settled;
  const wires: BlueprintWire[] = [];
  const portOfOut = new Map<string, number>();
  for (const wire of settled.wires) {
    const { from, to, isOrdered } = wire;
    const transport = transportOf(protocols, to.terminal.protocol);
    const names = settled.names.get(wire);
    const port = names?.[0]?.port ?? portOf(to.part, to.terminal);
    if (transport === undefined || port === undefined) return undefined;
    portOfOut.set(endName(from), port);
    wires.push({
      from: { appliance: from.part.path, terminal: from.terminal.name },
      to: { appliance: to.part.path, terminal: to.terminal.name },
      protocol: to.terminal.protocol,
      transport,
      port,
      ...(names && { names }),
      ordered: isOrdered,
    });
  }
  const appliances: BlueprintAppliance[] = [];
  const externals: BlueprintExternal[] = [];
  for (const part of order) {
    const appliance = makeAppliance(part, settled, portOfOut);
    if (appliance === undefined) return undefined;
    appliances.push(appliance);
    for (const { name, direction, protocol, transport, port } of appliance.terminals) {
      if (direction !== 'external' || port === undefined) continue;
      externals.push({
        ...{ appliance: part.path, terminal: name, protocol, transport, port },
        ...(tellsClients(part.described.model.terminals.get(name)) && { proxyProtocol: true }),
      });
    }
  }
  const { name, version } = tree.root.described.model;
  return deepFreeze({
    apiVersion: 'sheaf/v1',
    kind: 'Blueprint',
    application: { name, version },
    appliances,
    wires: wires.sort((a, b) => compareEnds(a.from, b.from)),
    externals: externals.sort(compareEnds),
    secrets: settled.secrets.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  });
}

function compareEnds(
  a: { readonly appliance: string; readonly terminal: string },
  b: { readonly appliance: string; readonly terminal: string },
): number {
  if (a.appliance !== b.appliance) return a.appliance < b.appliance ? -1 : 1;
  return a.terminal < b.terminal ? -1 : a.terminal > b.terminal ? 1 : 0;
}

function makeAppliance(
  part: Part,
  settled: Settled,
  portOfOut: ReadonlyMap<string, number>,
): BlueprintAppliance | undefined {
  const { model, description } = part.described;
  const { use } = part.parent;
  const resources = settled.resources.get(part);
  const files = settled.files.get(part.described);
  const properties = settled.properties.settings.get(part);
  const terminals = makeTerminals(part, settled, portOfOut);
  if (resources === undefined || files?.image === undefined || properties === undefined) return undefined;
  const health = makeHealth(part, settled);
  return {
    path: part.path,
    uses: { name: model.name, version: model.version, digest: description.digest },
    replicas: resources.replicas,
    ...(use.spread !== undefined && { spread: use.spread }),
    resources: { cpuMillicores: resources.cpuMillicores, memoryBytes: resources.memoryBytes },
    properties,
    terminals,
    volumes: resources.volumes,
    contents: (settled.contents.get(part) ?? []).map(({ name, to, digest }) => ({ name, to, digest })),
    image: files.image,
    files: files.files,
    services: model.services,
    hooks: model.hooks,
    ...(health && { health }),
  };
}

function makeTerminals(
  part: Part,
  { protocols, portOf }: Settled,
  portOfOut: ReadonlyMap<string, number>,
): readonly BlueprintTerminal[] {
  return [...part.described.model.terminals.values()].flatMap((terminal): BlueprintTerminal[] => {
    const { name, direction, protocol } = terminal;
    const transport = transportOf(protocols, protocol);
    const port = direction === 'out' ? portOfOut.get(endName({ part, terminal })) : portOf(part, terminal);
    return transport === undefined
      ? []
      : [{ name, direction, protocol, transport, ...(port !== undefined && { port }) }];
  });
}

function makeHealth(part: Part, { portOf }: Settled): Health | undefined {
  const { health, terminals } = part.described.model;
  if (health === undefined) return undefined;
  const { probe, ...pace } = health;
  if (probe.kind === 'command') return { probe, ...pace };
  const terminal = terminals.get(probe.terminal);
  const port = terminal && portOf(part, terminal);
  if (port === undefined) return undefined;
  return {
    probe: probe.kind === 'tcp' ? { kind: 'tcp', port } : { kind: 'http', port, path: probe.path },
    ...pace,
  };
}
