import {
  type BlueprintAppliance,
  exitsOf,
  type ImageSource,
  type InstanceName,
  portsOf,
} from '../model/blueprint.ts';
import { servicesWith } from '../model/image-defaults.ts';
import type { Desired, InstanceState, PolicyRule, RenderScope, VolumeState } from '../model/step.ts';
import { externalName } from './allocate.ts';
import {
  addressOf,
  type DeploymentView,
  type DesiredRequest,
  endKey,
  gatewayOf,
  need,
  peersOf,
  serverOf,
  sizeOf,
  viewOf,
  volumeKey,
} from './deployment-view.ts';
import { exitState } from './exit-state.ts';
import { scopeOf } from './scope.ts';
import { parseSubnet } from './subnet.ts';

/**
 * Lists every object that a deployment consists of, as it shall be. Pure.
 *
 * @throws EngineError INTERNAL_ERROR when the parts do not belong together
 */
export function desired(request: DesiredRequest): readonly Desired[] {
  const { blueprint, allocation } = request;
  const view = viewOf(request);
  const gateway = gatewayOf(view);
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
        ...restoredTo(view, volumeKey(name, volume.name)),
      };
      objects.push({ kind: 'volume', key: volumeKey(name, volume.name), state });
    }
  }
  for (const { kind, key, state } of request.recorded)
    if (kind === 'snapshot') objects.push({ kind, key, state });
  for (const instance of view.instances) {
    objects.push({ kind: 'instance', key: instance.name, state: instanceState(view, instance, gateway) });
  }
  for (const external of blueprint.externals) {
    const { appliance, terminal, protocol, transport, port, proxyProtocol } = external;
    const listen = need(view.listen.get(externalName(external)), externalName(external));
    const targets = peersOf(view, appliance, port);
    objects.push({
      kind: 'endpoint',
      key: externalName(external),
      state: {
        ...{ appliance, terminal, protocol, transport, listen, targets },
        ...(proxyProtocol && { proxyProtocol }),
      },
    });
  }
  for (const exit of exitsOf(blueprint))
    objects.push({ kind: 'endpoint', key: endKey(exit), state: exitState(view, exit, gateway) });
  return objects;
}

// to which snapshot its data were taken back stays true for life
function restoredTo({ known }: DeploymentView, volume: string): Pick<VolumeState, 'restored'> {
  const restored = known.get(volume)?.restored;
  return restored === undefined ? {} : { restored };
}

function rulesOf(view: DeploymentView): readonly PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const wire of view.request.blueprint.wires) {
    const { from, to, transport } = wire;
    for (const client of view.byAppliance.get(from.appliance) ?? []) {
      for (const server of view.byAppliance.get(to.appliance) ?? []) {
        if (client === server) continue;
        for (const port of portsOf(wire)) {
          const rule = { from: client.name, to: server.name, transport, port };
          rules.set(`${rule.from} ${rule.to} ${transport} ${String(port).padStart(5, '0')}`, rule);
        }
      }
    }
  }
  return [...rules].sort(([a], [b]) => compareText(a, b)).map(([, rule]) => rule);
}

function membersOf(view: DeploymentView) {
  return view.instances
    .map(({ name }) => ({ instance: name, ...addressOf(view, name) }))
    .sort((a, b) => compareText(a.instance, b.instance));
}

// an image with an application's contents in it belongs to one place of the application alone
function imageOf(view: DeploymentView, appliance: BlueprintAppliance): Extract<Desired, { kind: 'image' }> {
  const { closure } = view.request;
  const contents = closure.contents.get(appliance.path) ?? [];
  const own = need(closure.images.get(appliance.path), appliance.path);
  const name = `${appliance.uses.name}@${appliance.uses.version}`;
  return {
    kind: 'image',
    key: contents.length === 0 ? name : `${name}/${appliance.path}`,
    state: {
      appliance: name,
      kit: closure.kit,
      layers: [...own, ...contents],
      ...(appliance.image.kind === 'oci' && { joined: own.length }),
    },
  };
}

function instanceState(view: DeploymentView, instance: InstanceName, gateway: string): InstanceState {
  const { appliance, name } = instance;
  const image = imageOf(view, appliance);
  const scope = scopeOf(view, instance);
  const defaults = view.request.closure.defaults?.get(appliance.path);
  const health = appliance.health ?? defaults?.health;
  return {
    appliance: appliance.path,
    uses: { name: appliance.uses.name, version: appliance.uses.version },
    server: serverOf(view, name),
    image: image.key,
    kit: image.state.kit,
    layers: image.state.layers,
    ...(image.state.joined !== undefined && { joined: image.state.joined }),
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
    services: servicesWith(appliance.services, defaults),
    hooks: appliance.hooks,
    ...(health && { health }),
    ...(appliance.image.kind === 'disk' && { boot: bootOf(appliance.image) }),
  };
}

function bootOf({
  run,
  sizeBytes,
}: Extract<ImageSource, { readonly kind: 'disk' }>): NonNullable<InstanceState['boot']> {
  return { run, ...(sizeBytes !== undefined && { sizeBytes }) };
}

function waitsOf(
  view: DeploymentView,
  appliance: BlueprintAppliance,
  scope: RenderScope,
): InstanceState['waits'] {
  return appliance.terminals.flatMap(({ name: terminal }) => {
    const wire = view.wiresFrom.get(endKey({ appliance: appliance.path, terminal }));
    if (!wire?.ordered) return [];
    const peers = scope.terminals[terminal]?.peers ?? [];
    return [{ terminal, protocol: wire.protocol, transport: wire.transport, peers }];
  });
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
