import { createHash } from 'node:crypto';
import type { BlueprintAppliance, BlueprintTerminal, InstanceName, OuterName } from '../model/blueprint.ts';
import type { EndpointScope, NameScope, Peer, RenderScope, TerminalScope } from '../model/step.ts';
import { isSecretRef, type Setting } from '../model/value.ts';
import { externalName } from './allocate.ts';
import {
  addressOf,
  type DeploymentView,
  endKey,
  gatewayOf,
  need,
  peersOf,
  sizeOf,
} from './deployment-view.ts';
import { endpointUrl } from './endpoint-url.ts';
import { wayOutOf } from './exit-state.ts';

/** Lists all that the templates of an instance may name. */
export function scopeOf(view: DeploymentView, { name, number, appliance }: InstanceName): RenderScope {
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

function versioned(view: DeploymentView, value: Setting['value']): Setting['value'] {
  if (!isSecretRef(value)) return value;
  const version = view.request.secretVersions.get(value.secret) ?? 1;
  return version === 1 ? { secret: value.secret } : { secret: value.secret, version };
}

function terminalScope(
  view: DeploymentView,
  appliance: BlueprintAppliance,
  { name, ...terminal }: BlueprintTerminal,
): TerminalScope {
  const end = endKey({ appliance: appliance.path, terminal: name });
  switch (terminal.direction) {
    case 'out': {
      const wire = view.wiresFrom.get(end);
      if (wire === undefined) return { ...terminal, peers: [] };
      const peers = peersOf(view, wire.to.appliance, wire.port);
      return { ...terminal, peers, ...namesScope(namesThrough(peers, wire.names ?? [])) };
    }
    case 'in': {
      const wires = view.wiresTo.get(end) ?? [];
      const peers = wires.flatMap((wire) => peersOf(view, wire.from.appliance, wire.port));
      const names = wires.flatMap((wire) =>
        namesThrough(peersOf(view, wire.from.appliance, wire.port), wire.names ?? []),
      );
      return {
        ...terminal,
        // one that has two outs wired here is one peer
        peers: [...new Map(peers.map((peer) => [peer.name, peer])).values()],
        ...namesScope(names),
      };
    }
    case 'external':
      if (terminal.port !== undefined) return { ...terminal, peers: [] };
      return { ...terminal, peers: [wayOutOf(view, end, gatewayOf(view))] };
    default:
      return terminal.direction satisfies never;
  }
}

function namesThrough(peers: readonly Peer[], names: readonly OuterName[]): readonly NameScope[] {
  return peers.flatMap(({ name: peer, address }) =>
    names.map(({ name, port }) => ({ name, port, peer, address })),
  );
}

function namesScope(names: readonly NameScope[]): Pick<TerminalScope, 'names' | 'ports'> {
  if (names.length === 0) return {};
  return { names, ports: [...new Set(names.map((one) => one.port))].sort((a, b) => a - b) };
}

// by terminal name, because an appliance cannot know what others are called in an application; its own come first
function endpointsFor(
  view: DeploymentView,
  appliance: BlueprintAppliance,
): Readonly<Record<string, EndpointScope>> {
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

// a label of the DNS: 63 characters, no dots, no slashes
function hostnameOf(instance: string): string {
  const label = instance.replaceAll(/[./]/g, '-');
  if (label.length <= 63) return label;
  return `${label.slice(0, 54)}-${createHash('sha256').update(label).digest('hex').slice(0, 8)}`;
}
