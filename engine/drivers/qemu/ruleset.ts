import { isIPv4 } from 'node:net';
import { digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import type { Transport } from '../../model/blueprint.ts';
import type { NetworkState, PolicyState } from '../../model/step.ts';
import { tapName } from './marks.ts';

/** Everything that decides which packets pass in a deployment's namespace. */
export type RulesetInput = {
  readonly network: NetworkState;
  /** Null before the policy is known: then nothing passes. */
  readonly policy: PolicyState | null;
  /** What the endpoints of the deployment may connect to. */
  readonly targets: readonly {
    readonly address: string;
    readonly transport: Transport;
    readonly port: number;
  }[];
  /** Which instances may connect to a way out of the deployment, and where that begins. */
  readonly ways: readonly { readonly instance: string; readonly address: string; readonly port: number }[];
};

/** The table that holds the rules, in both families. */
export const tableName = 'sheaf';

/**
 * Writes the rules of a deployment's namespace for `nft -f`, which loads them whole or not at all.
 *
 * A guest's packet passes `arrive` with its own tap, MAC and address only, before the kernel puts fragments together
 * (-400): else a guest could lay pieces into another one's datagrams. `pass`
 * asks the wires about every packet in both directions, so a wire that goes cuts its living connections.
 * `flows` bounds how many connections a guest can have remembered, so that a flood of one leaves room for the others.
 * Input is for answers to the endpoints' connections, and for the instances that have a way out. A client whose address lies in the deployment's own subnet is
 * refused at `leave`, since it would speak with an instance's address.
 *
 * @returns canonical text: equal inputs give equal bytes; its digest is the table's comment
 */
export function rulesetOf(input: RulesetInput): string {
  const subnet = checkedSubnet(input.network.subnet);
  const gateway = checkedAddress(input.network.gateway);
  const members = sorted(
    (input.policy?.members ?? []).map(
      ({ instance, mac, address }) =>
        `"${tapName(instance)}" . ${checkedMac(mac)} . ${checkedAddress(address)}`,
    ),
  );
  const wires = sorted(
    (input.policy?.rules ?? []).map(
      ({ from, to, transport, port }) =>
        `"${tapName(from)}" . "${tapName(to)}" . ${transport} . ${checkedPort(port)}`,
    ),
  );
  const targets = sorted(
    input.targets.map(
      ({ address, transport, port }) => `${checkedAddress(address)} . ${transport} . ${checkedPort(port)}`,
    ),
  );
  const ways = sorted(
    input.ways.map(
      ({ instance, address, port }) =>
        `"${tapName(instance)}" . ${checkedAddress(address)} . ${checkedPort(port)}`,
    ),
  );
  const body = `table inet ${tableName} {
${set('members', 'ifname . ether_addr . ipv4_addr', members)}
${set('wires', 'ifname . ifname . inet_proto . inet_service', wires)}
${set('targets', 'ipv4_addr . inet_proto . inet_service', targets)}
${set('ways', 'ifname . ipv4_addr . inet_service', ways)}
  set flows {
    type ifname
    size 1024
    flags dynamic
  }
  chain arrive {
    type filter hook prerouting priority -450; policy drop
    iifname . ether saddr . ip saddr @members fib daddr type { unicast, local } accept
  }
  chain pass {
    type filter hook forward priority filter; policy drop
    ct state invalid drop
    ${withinShare}
    ct direction original iifname . oifname . meta l4proto . th dport @wires accept
    ct direction reply oifname . iifname . meta l4proto . th sport @wires accept
    ${errorsOfKnown}
  }
  chain enter {
    type filter hook input priority filter; policy drop
    ct direction reply ct state established ip saddr . meta l4proto . th sport @targets accept
    ${withinShare}
    ct direction original meta l4proto tcp iifname . ip daddr . th dport @ways accept
    ${errorsOfKnown}
  }
  chain leave {
    type filter hook output priority filter; policy drop
    ip saddr ${gateway} ip daddr . meta l4proto . th dport @targets accept
    ct direction reply meta l4proto tcp oifname . ip saddr . th sport @ways accept
    ip saddr != ${subnet} ip daddr . meta l4proto . th dport @targets accept
  }
}
table arp ${tableName} {
${set('members', 'ifname . ether_addr . ipv4_addr', members)}
  chain arrive {
    type filter hook input priority filter; policy drop
    arp operation request iifname . arp saddr ether . arp saddr ip @members accept
  }
}
`;
  return `${replaceTables}${body.replace('{\n', `{\n  comment "${digestOf(body)}"\n`)}`;
}

/** Takes the digest out of a ruleset, or out of what `nft list table` prints of it. */
export function rulesetDigest(text: string): string | undefined {
  return /comment "(sha256:[0-9a-f]{64})"/.exec(text)?.[1];
}

// declaring a table makes deleting it safe when there is none; all is one transaction
const replaceTables = ['inet', 'arp']
  .map((family) => `table ${family} ${tableName}\ndelete table ${family} ${tableName}\n`)
  .join('');

// the kernel remembers so many connections for a whole network, 65,536 on small machines; none may have them all
const withinShare = 'ct state new add @flows { iifname ct count over 16384 } drop';

const errorsOfKnown =
  'ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept';

function set(name: string, type: string, elements: readonly string[]): string {
  const lines = [`  set ${name} {`, `    type ${type}`];
  if (elements.length > 0) lines.push(`    elements = {\n      ${elements.join(',\n      ')}\n    }`);
  return [...lines, '  }'].join('\n');
}

function sorted(elements: readonly string[]): readonly string[] {
  return [...new Set(elements)].sort();
}

// the text goes to a program with rights over the network, so nothing enters it unseen

function checkedAddress(text: string): string {
  return isIPv4(text) ? text : refuse(text);
}

function checkedSubnet(text: string): string {
  const [address = '', prefix = ''] = text.split('/');
  return isIPv4(address) && /^([1-9]|[12][0-9]|3[0-2])$/.test(prefix) ? text : refuse(text);
}

function checkedMac(text: string): string {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text) ? text : refuse(text);
}

function checkedPort(port: number): number {
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : refuse(String(port));
}

function refuse(text: string): never {
  throw new EngineError('INTERNAL_ERROR', `${JSON.stringify(text)} cannot stand in a packet filter`);
}
