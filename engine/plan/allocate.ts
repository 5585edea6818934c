import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { EngineError } from '../errors.ts';
import type { Allocation, ListenAddress, ListenRefusal } from '../model/allocation.ts';
import { type Blueprint, type BlueprintExternal, instancesOf, type Transport } from '../model/blueprint.ts';
import { addressAt, firstFree, formatSubnet, parseSubnet, roomOf, type Subnet } from './subnet.ts';

/** Where some deployment listens, over which transport. */
export type Listening = ListenAddress & { readonly transport: Transport };

/** What {@link allocate} chooses from. */
export type AllocationRequest = {
  /** Id of the deployment; its hardware addresses are derived from it. */
  readonly deployment: string;
  readonly blueprint: Blueprint;
  /** The pool's range, in CIDR form. */
  readonly range: string;
  /** What other deployments of the pool hold. */
  readonly taken: { readonly subnets: readonly string[]; readonly listening: readonly Listening[] };
  /** What this deployment holds already; kept as far as the blueprint still needs it. */
  readonly recorded?: Allocation;
  /** Wishes, by `appliance.terminal`. */
  readonly expose: Readonly<Record<string, ListenAddress>>;
  /** Why nothing could listen just now where a wish says, by `appliance.terminal`. */
  readonly refusals?: ReadonlyMap<string, ListenRefusal>;
  /** Loopback ports that were free just now, for externals without a wish. */
  readonly ports: readonly number[];
};

// of a small application; a larger one gets a larger block
const usualPrefix = 24;
const loopback = '127.0.0.1';

/**
 * Gives a deployment its part of the pool's address space: a subnet of its own, addresses for its instances,
 * places where its externals listen. Pure; what was recorded stays.
 *
 * @throws EngineError INPUT_REFUSED for a wish that cannot be, ADDRESS_TAKEN, PLACEMENT_IMPOSSIBLE when the range is used up
 */
export function allocate(request: AllocationRequest): Allocation {
  const names = instancesOf(request.blueprint).map((instance) => instance.name);
  const subnet = chooseSubnet(request, names.length);
  return {
    subnet: formatSubnet(subnet),
    instances: chooseAddresses(request, subnet, names),
    endpoints: chooseEndpoints(request),
  };
}

function chooseSubnet(request: AllocationRequest, count: number): Subnet {
  const recorded = request.recorded && parseSubnet(request.recorded.subnet);
  if (recorded) {
    if (count <= roomOf(recorded)) return recorded;
    throw new EngineError(
      'INPUT_REFUSED',
      `the deployment's subnet ${formatSubnet(recorded)} has room for ${roomOf(recorded)} instances, not for ${count}`,
      { hint: 'Use fewer replicas, or deploy it under a new name.' },
    );
  }
  let prefix = usualPrefix;
  while (prefix > 0 && roomOf({ base: 0, prefix }) < count) prefix--;
  const free = firstFree(parseSubnet(request.range), prefix, request.taken.subnets.map(parseSubnet));
  if (free) return free;
  throw new EngineError('PLACEMENT_IMPOSSIBLE', `the pool's range ${request.range} has no /${prefix} left`, {
    hint: 'Remove a deployment that is no longer needed, or give the pool a larger range.',
  });
}

function chooseAddresses(
  request: AllocationRequest,
  subnet: Subnet,
  names: readonly string[],
): Allocation['instances'] {
  const recorded = new Map(Object.entries(request.recorded?.instances ?? {}));
  const used = new Set(names.flatMap((name) => recorded.get(name)?.address ?? []));
  const macs = new Set(names.flatMap((name) => recorded.get(name)?.mac ?? []));
  let offset = 2; // 0 is the network's, 1 the gateway's
  const entries = names.map((name) => {
    const known = recorded.get(name);
    if (known) return [name, known] as const;
    while (used.has(addressAt(subnet, offset))) offset++;
    const address = addressAt(subnet, offset);
    used.add(address);
    const mac = chooseMac(request.deployment, name, macs);
    macs.add(mac);
    return [name, { address, mac }] as const;
  });
  return Object.fromEntries(entries);
}

// 02: locally administered, unicast; the hash keeps two copies of one application apart on a shared wire
function chooseMac(deployment: string, instance: string, taken: ReadonlySet<string>): string {
  for (let attempt = 0; ; attempt++) {
    const hash = createHash('sha256')
      .update(JSON.stringify([deployment, instance, attempt]))
      .digest('hex');
    const mac = `02:${(hash.slice(0, 10).match(/../g) ?? []).join(':')}`;
    if (!taken.has(mac)) return mac;
  }
}

function chooseEndpoints(request: AllocationRequest): Allocation['endpoints'] {
  const { blueprint, expose } = request;
  const names = blueprint.externals.map(externalName);
  for (const [name, wish] of Object.entries(expose)) checkWish(name, wish, names);
  const wishes = new Map(Object.entries(expose));
  const recorded = new Map(Object.entries(request.recorded?.endpoints ?? {}));
  const taken = [...request.taken.listening];
  const spare = [...request.ports];
  const chosen = new Map<string, ListenAddress>();
  // wishes first: a port that somebody asked for is not to be given away before
  for (const external of blueprint.externals) {
    const name = externalName(external);
    const fixed = wishes.get(name) ?? recorded.get(name);
    if (!fixed) continue;
    const place = { ...fixed, transport: external.transport };
    const other = taken.find((one) => clashes(one, place));
    if (other) throw addressTaken(name, place, 'belongs to another endpoint');
    const refusal = wishes.has(name) ? request.refusals?.get(name) : undefined;
    if (refusal) throw listenRefused(name, place, refusal);
    taken.push(place);
    chosen.set(name, { address: fixed.address, port: fixed.port });
  }
  for (const external of blueprint.externals) {
    const name = externalName(external);
    if (chosen.has(name)) continue;
    const port = takeFree(spare, external.transport, taken);
    if (port === undefined) throw noPort(name);
    taken.push({ address: loopback, port, transport: external.transport });
    chosen.set(name, { address: loopback, port });
  }
  return Object.fromEntries(names.flatMap((name) => pairOf(name, chosen.get(name))));
}

function pairOf<T>(name: string, value: T | undefined): readonly (readonly [string, T])[] {
  return value === undefined ? [] : [[name, value]];
}

/** Names an external as `--expose` does: `appliance.terminal`. */
export function externalName(external: BlueprintExternal): string {
  return `${external.appliance}.${external.terminal}`;
}

function takeFree(spare: number[], transport: Transport, taken: readonly Listening[]): number | undefined {
  for (;;) {
    const port = spare.shift();
    if (port === undefined) return undefined;
    const place = { address: loopback, port, transport };
    if (!taken.some((one) => clashes(one, place))) return port;
  }
}

function clashes(a: Listening, b: Listening): boolean {
  if (a.port !== b.port || a.transport !== b.transport) return false;
  return a.address === b.address || isWildcard(a.address) || isWildcard(b.address);
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function checkWish(name: string, wish: ListenAddress, names: readonly string[]): void {
  if (!names.includes(name)) {
    throw new EngineError('INPUT_REFUSED', `the application has no external terminal ${name}`, {
      hint: names.length === 0 ? 'It has none at all.' : `It has ${names.join(', ')}.`,
    });
  }
  if (isIP(wish.address) === 0) {
    throw new EngineError('INPUT_REFUSED', `"${wish.address}" for ${name} is not an IP address`, {
      hint: `Write it like ${name}=127.0.0.1:8080.`,
    });
  }
  if (!Number.isInteger(wish.port) || wish.port < 1 || wish.port > 65_535) {
    throw new EngineError('INPUT_REFUSED', `${wish.port} for ${name} is not a port`, {
      hint: 'A port is a number from 1 to 65535.',
    });
  }
}

function listenRefused(name: string, place: ListenAddress, refusal: ListenRefusal): EngineError {
  if (refusal === 'taken') return addressTaken(name, place, 'is in use by another program');
  return new EngineError('INPUT_REFUSED', `this machine has no address ${place.address} for ${name}`, {
    hint: 'Choose an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all that it has.',
    details: { endpoint: name, address: place.address, port: place.port },
  });
}

function addressTaken(name: string, place: ListenAddress, whose: string): EngineError {
  return new EngineError('ADDRESS_TAKEN', `${place.address}:${place.port} for ${name} ${whose}`, {
    hint: `Choose another with --expose ${name}=ADDRESS:PORT.`,
  });
}

function noPort(name: string): EngineError {
  return new EngineError('ADDRESS_TAKEN', `no free port was found for ${name}`, {
    hint: `Give one with --expose ${name}=ADDRESS:PORT.`,
  });
}
