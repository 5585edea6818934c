import { createHash } from 'node:crypto';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Allocation, ListenAddress } from '../model/allocation.ts';
import type { Descriptor } from '../model/blob.ts';
import {
  type Blueprint,
  type BlueprintAppliance,
  type BlueprintTerminal,
  type BlueprintWire,
  type InstanceName,
  instancesOf,
  type Volume,
} from '../model/blueprint.ts';
import type {
  Desired,
  EndpointScope,
  InstanceState,
  Peer,
  PolicyRule,
  RenderScope,
  TerminalScope,
} from '../model/step.ts';
import type { Recorded } from '../model/store.ts';
import { isSecretRef, type Setting } from '../model/value.ts';
import { externalName } from './allocate.ts';
import { addressAt, parseSubnet } from './subnet.ts';

/** Everything that is run, by digest: what was built for a blueprint. */
export type Closure = {
  readonly kit: Digest;
  /** The image's layers by appliance path, lowest first. */
  readonly images: ReadonlyMap<string, readonly Descriptor[]>;
  /** The contents' layers by appliance path, in the blueprint's order; absent where there are none. */
  readonly contents: ReadonlyMap<string, readonly Descriptor[]>;
};

/** What {@link desired} joins. */
export type DesiredRequest = {
  readonly name: string;
  readonly blueprint: Blueprint;
  readonly allocation: Allocation;
  /** Server by instance. */
  readonly placement: Readonly<Record<string, string>>;
  readonly closure: Closure;
  /** The newest version of each secret; 1 when absent. */
  readonly secretVersions: ReadonlyMap<string, number>;
  /** What exists already, of which volumes count: they never shrink. */
  readonly recorded: readonly Recorded[];
};

/** Names the key of an instance's volume. */
export function volumeKey(instance: string, volume: string): string {
  return `${instance}/${volume}`;
}

/**
 * Lists every object that a deployment consists of, as it shall be. Pure.
 *
 * @throws EngineError INTERNAL_ERROR when the parts do not belong together
 */
export function desired(request: DesiredRequest): readonly Desired[] {
  const { blueprint, allocation } = request;
  const view = viewOf(request);
  const gateway = addressAt(parseSubnet(allocation.subnet), 1);
  const objects: Desired[] = [
    { kind: 'network', key: 'network', state: { subnet: allocation.subnet, gateway } },
    { kind: 'policy', key: 'wires', state: { rules: rulesOf(view), members: membersOf(view) } },
  ];
  const images = new Map<string, Desired>();
  for (const appliance of blueprint.appliances) {
    const image = imageOf(view, appliance);
    if (!images.has(image.key)) images.set(image.key, image);
  }
  objects.push(...images.values());
  for (const { name, appliance } of view.instances) {
    for (const volume of appliance.volumes) {
      const state = {
        server: serverOf(view, name),
        kind: volume.kind,
        sizeBytes: sizeOf(view, name, volume),
      };
      objects.push({ kind: 'volume', key: volumeKey(name, volume.name), state });
    }
  }
  for (const instance of view.instances) {
    objects.push({ kind: 'instance', key: instance.name, state: instanceState(view, instance, gateway) });
  }
  for (const external of blueprint.externals) {
    const { appliance, terminal, protocol, transport, port } = external;
    const listen = need(view.listen.get(externalName(external)), externalName(external));
    const targets = peersOf(view, appliance, port);
    objects.push({
      kind: 'endpoint',
      key: externalName(external),
      state: { appliance, terminal, protocol, transport, listen, targets },
    });
  }
  return objects;
}

/** Writes where an external is reached as a URL; of a wildcard address the loopback one that leads there too. */
export function endpointUrl(protocol: string, listen: ListenAddress): string {
  const scheme =
    protocol === 'http' || protocol === 'https' ? protocol : (protocol.split('/').at(-1) ?? protocol);
  const reached = { '0.0.0.0': '127.0.0.1', '::': '::1' }[listen.address] ?? listen.address;
  const host = reached.includes(':') ? `[${reached}]` : reached;
  return `${scheme}://${host}:${listen.port}/`;
}

// what is looked up again and again, by name
type View = {
  readonly request: DesiredRequest;
  readonly instances: readonly InstanceName[];
  readonly byAppliance: ReadonlyMap<string, readonly InstanceName[]>;
  readonly wiresFrom: ReadonlyMap<string, BlueprintWire>;
  readonly wiresTo: ReadonlyMap<string, readonly BlueprintWire[]>;
  readonly addresses: ReadonlyMap<string, { readonly address: string; readonly mac: string }>;
  readonly servers: ReadonlyMap<string, string>;
  readonly listen: ReadonlyMap<string, ListenAddress>;
  readonly sizes: ReadonlyMap<string, number>;
};

function viewOf(request: DesiredRequest): View {
  const { blueprint, allocation, placement } = request;
  const instances = instancesOf(blueprint);
  return {
    request,
    instances,
    byAppliance: Map.groupBy(instances, (instance) => instance.appliance.path),
    wiresFrom: new Map(blueprint.wires.map((wire) => [endKey(wire.from), wire])),
    wiresTo: Map.groupBy(blueprint.wires, (wire) => endKey(wire.to)),
    addresses: new Map(Object.entries(allocation.instances)),
    servers: new Map(Object.entries(placement)),
    listen: new Map(Object.entries(allocation.endpoints)),
    sizes: new Map(
      request.recorded.flatMap((one) => (one.kind === 'volume' ? [[one.key, one.state.sizeBytes]] : [])),
    ),
  };
}

function endKey(end: { readonly appliance: string; readonly terminal: string }): string {
  return `${end.appliance}.${end.terminal}`;
}

function need<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new EngineError('INTERNAL_ERROR', `nothing was recorded or built for ${what}`);
}

function addressOf(view: View, instance: string): { readonly address: string; readonly mac: string } {
  return need(view.addresses.get(instance), instance);
}

function serverOf(view: View, instance: string): string {
  return need(view.servers.get(instance), instance);
}

function sizeOf(view: View, instance: string, { name, sizeBytes }: Volume): number {
  return Math.max(sizeBytes, view.sizes.get(volumeKey(instance, name)) ?? 0);
}

function peersOf(view: View, appliance: string, port: number): readonly Peer[] {
  const instances = view.byAppliance.get(appliance) ?? [];
  return instances.map(({ name }) => ({ name, address: addressOf(view, name).address, port }));
}

function rulesOf(view: View): readonly PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const { from, to, transport, port } of view.request.blueprint.wires) {
    for (const client of view.byAppliance.get(from.appliance) ?? []) {
      for (const server of view.byAppliance.get(to.appliance) ?? []) {
        if (client === server) continue;
        const rule = { from: client.name, to: server.name, transport, port };
        rules.set(`${rule.from} ${rule.to} ${transport} ${String(port).padStart(5, '0')}`, rule);
      }
    }
  }
  return [...rules].sort(([a], [b]) => compareText(a, b)).map(([, rule]) => rule);
}

function membersOf(view: View) {
  return view.instances
    .map(({ name }) => ({ instance: name, ...addressOf(view, name) }))
    .sort((a, b) => compareText(a.instance, b.instance));
}

// an image with an application's contents in it belongs to one place of the application alone
function imageOf(view: View, appliance: BlueprintAppliance): Extract<Desired, { kind: 'image' }> {
  const { closure } = view.request;
  const contents = closure.contents.get(appliance.path) ?? [];
  const layers = [...need(closure.images.get(appliance.path), appliance.path), ...contents];
  const name = `${appliance.uses.name}@${appliance.uses.version}`;
  return {
    kind: 'image',
    key: contents.length === 0 ? name : `${name}/${appliance.path}`,
    state: { appliance: name, kit: closure.kit, layers },
  };
}

function instanceState(view: View, instance: InstanceName, gateway: string): InstanceState {
  const { appliance, name } = instance;
  const image = imageOf(view, appliance);
  const scope = scopeOf(view, instance);
  return {
    appliance: appliance.path,
    uses: { name: appliance.uses.name, version: appliance.uses.version },
    server: serverOf(view, name),
    image: image.key,
    kit: image.state.kit,
    layers: image.state.layers,
    cpuMillicores: appliance.resources.cpuMillicores,
    memoryBytes: appliance.resources.memoryBytes,
    hostname: scope.instance.hostname,
    ...addressOf(view, name),
    prefix: parseSubnet(view.request.allocation.subnet).prefix,
    gateway,
    volumes: appliance.volumes.map((volume) => ({
      name: volume.name,
      key: volumeKey(name, volume.name),
      kind: volume.kind,
      mount: volume.mount,
      sizeBytes: sizeOf(view, name, volume),
    })),
    files: appliance.files,
    scope,
    waits: waitsOf(view, appliance, scope),
    services: appliance.services,
    hooks: appliance.hooks,
    ...(appliance.health && { health: appliance.health }),
  };
}

function scopeOf(view: View, { name, number, appliance }: InstanceName): RenderScope {
  const { blueprint } = view.request;
  const settings = Object.entries(appliance.properties);
  return {
    application: blueprint.application,
    deployment: { name: view.request.name },
    instance: {
      name,
      number,
      appliance: appliance.path,
      hostname: hostnameOf(name),
      address: addressOf(view, name).address,
    },
    properties: Object.fromEntries(settings.map(([key, setting]) => [key, versioned(view, setting.value)])),
    terminals: Object.fromEntries(
      appliance.terminals.map((terminal) => [terminal.name, terminalScope(view, appliance, terminal)]),
    ),
    volumes: Object.fromEntries(
      appliance.volumes.map((volume) => [
        volume.name,
        { mount: volume.mount, sizeBytes: sizeOf(view, name, volume) },
      ]),
    ),
    endpoint: endpointsFor(view, appliance),
  };
}

function versioned(view: View, value: Setting['value']): Setting['value'] {
  if (!isSecretRef(value)) return value;
  const version = view.request.secretVersions.get(value.secret) ?? 1;
  return version === 1 ? { secret: value.secret } : { secret: value.secret, version };
}

function terminalScope(
  view: View,
  appliance: BlueprintAppliance,
  { name, ...terminal }: BlueprintTerminal,
): TerminalScope {
  const end = endKey({ appliance: appliance.path, terminal: name });
  switch (terminal.direction) {
    case 'out': {
      const wire = view.wiresFrom.get(end);
      return { ...terminal, peers: wire ? peersOf(view, wire.to.appliance, wire.port) : [] };
    }
    case 'in': {
      const wires = view.wiresTo.get(end) ?? [];
      return { ...terminal, peers: wires.flatMap((wire) => peersOf(view, wire.from.appliance, wire.port)) };
    }
    case 'external':
      return { ...terminal, peers: [] };
    default:
      return terminal.direction satisfies never;
  }
}

// by terminal name, because an appliance cannot know what others are called in an application; its own come first
function endpointsFor(view: View, appliance: BlueprintAppliance): Readonly<Record<string, EndpointScope>> {
  const { externals } = view.request.blueprint;
  const own = externals.filter((external) => external.appliance === appliance.path);
  const found = new Map<string, EndpointScope>();
  for (const external of [...own, ...externals]) {
    if (found.has(external.terminal)) continue;
    const listen = need(view.listen.get(externalName(external)), externalName(external));
    found.set(external.terminal, { ...listen, url: endpointUrl(external.protocol, listen) });
  }
  return Object.fromEntries(found);
}

function waitsOf(view: View, appliance: BlueprintAppliance, scope: RenderScope): InstanceState['waits'] {
  return appliance.terminals.flatMap(({ name: terminal }) => {
    const wire = view.wiresFrom.get(endKey({ appliance: appliance.path, terminal }));
    if (!wire?.ordered) return [];
    const peers = scope.terminals[terminal]?.peers ?? [];
    return [{ terminal, protocol: wire.protocol, transport: wire.transport, peers }];
  });
}

// a label of the DNS: 63 characters, no dots, no slashes
function hostnameOf(instance: string): string {
  const label = instance.replaceAll(/[./]/g, '-');
  if (label.length <= 63) return label;
  return `${label.slice(0, 54)}-${createHash('sha256').update(label).digest('hex').slice(0, 8)}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
