import { EngineError } from '../errors.ts';
import type { Allocation, ListenAddress } from '../model/allocation.ts';
import {
  type Blueprint,
  type BlueprintWire,
  type InstanceName,
  instancesOf,
  type Volume,
} from '../model/blueprint.ts';
import type { Closure } from '../model/closure.ts';
import type { Peer, VolumeState } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';
import { addressAt, parseSubnet } from './subnet.ts';

/** What a deployment consists of, and what is known of it already. */
export type DesiredRequest = {
  readonly name: string;
  readonly blueprint: Blueprint;
  readonly allocation: Allocation;
  /** Server by instance. */
  readonly placement: Readonly<Record<string, string>>;
  readonly closure: Closure;
  /** The newest version of each secret; 1 when absent. */
  readonly secretVersions: ReadonlyMap<string, number>;
  /** What exists already, of which volumes count, which never shrink, and snapshots, which stay. */
  readonly recorded: readonly Recorded[];
};

/** Names the key of an instance's volume. */
export function volumeKey(instance: string, volume: string): string {
  return `${instance}/${volume}`;
}

/** A deployment's parts, by the names under which they are looked up again and again. */
export type DeploymentView = {
  readonly request: DesiredRequest;
  readonly instances: readonly InstanceName[];
  readonly byAppliance: ReadonlyMap<string, readonly InstanceName[]>;
  readonly wiresFrom: ReadonlyMap<string, BlueprintWire>;
  readonly wiresTo: ReadonlyMap<string, readonly BlueprintWire[]>;
  readonly addresses: ReadonlyMap<string, { readonly address: string; readonly mac: string }>;
  readonly servers: ReadonlyMap<string, string>;
  readonly listen: ReadonlyMap<string, ListenAddress>;
  /** Volumes that exist, by key. */
  readonly known: ReadonlyMap<string, VolumeState>;
};

/** Sorts a deployment's parts by name. */
export function viewOf(request: DesiredRequest): DeploymentView {
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
    known: new Map(
      request.recorded.flatMap((one) => (one.kind === 'volume' ? [[one.key, one.state] as const] : [])),
    ),
  };
}

/** Names one end of a wire. */
export function endKey(end: { readonly appliance: string; readonly terminal: string }): string {
  return `${end.appliance}.${end.terminal}`;
}

/** Insists on a part. @throws EngineError INTERNAL_ERROR when the parts do not belong together */
export function need<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new EngineError('INTERNAL_ERROR', `nothing was recorded or built for ${what}`);
}

/** Gives the addresses of an instance. */
export function addressOf(
  view: DeploymentView,
  instance: string,
): { readonly address: string; readonly mac: string } {
  return need(view.addresses.get(instance), instance);
}

/** Gives the address of the deployment's own network that belongs to nobody in it. */
export function gatewayOf({ request }: DeploymentView): string {
  return addressAt(parseSubnet(request.allocation.subnet), 1);
}

/** Gives the server of an instance. */
export function serverOf(view: DeploymentView, instance: string): string {
  return need(view.servers.get(instance), instance);
}

/** Gives the size of an instance's volume in bytes, which is never below that of the recorded one. */
export function sizeOf(view: DeploymentView, instance: string, { name, sizeBytes }: Volume): number {
  return Math.max(sizeBytes, view.known.get(volumeKey(instance, name))?.sizeBytes ?? 0);
}

/** Lists an appliance's instances as peers on a port. */
export function peersOf(view: DeploymentView, appliance: string, port: number): readonly Peer[] {
  const instances = view.byAppliance.get(appliance) ?? [];
  return instances.map(({ name }) => ({ name, address: addressOf(view, name).address, port }));
}
