import { runCommand } from '../../command.ts';
import type { NetworkState } from '../../model/step.ts';
import { tapName } from './marks.ts';
import type { Namespace } from './namespaces.ts';
import { rulesetDigest, tableName } from './ruleset.ts';

/**
 * The namespace's own settings, below /proc/sys/net; those that begin with a hyphen are made where they are there.
 *
 * Guests see one Ethernet segment, but each has a tap of its own: proxy ARP answers for the others, and every packet is
 * routed, so that it passes the rules. Source addresses are checked by those rules, not by the reverse path filter, because
 * endpoints connect from addresses of the outer world.
 */
const settings: readonly string[] = [
  'ipv6/conf/all/disable_ipv6=1',
  'ipv6/conf/default/disable_ipv6=1',
  'ipv4/ip_forward=1',
  'ipv4/ip_nonlocal_bind=1',
  'ipv4/conf/all/rp_filter=0',
  'ipv4/conf/default/rp_filter=0',
  'ipv4/conf/default/proxy_arp=1',
  'ipv4/conf/all/send_redirects=0',
  'ipv4/conf/default/send_redirects=0',
  'ipv4/conf/all/accept_redirects=0',
  'ipv4/conf/all/accept_source_route=0',
  // half-open and closed connections are forgotten soon, since each guest may have only so many; a kernel may hide these
  '-netfilter/nf_conntrack_tcp_timeout_syn_sent=20',
  '-netfilter/nf_conntrack_tcp_timeout_syn_recv=20',
  '-netfilter/nf_conntrack_tcp_timeout_time_wait=10',
];

/** Loads a ruleset into the namespace, in one transaction. */
export async function loadRuleset(namespace: Namespace, ruleset: string, signal: AbortSignal): Promise<void> {
  await inNamespace(namespace, ['nft', '-f', '-'], signal, ruleset);
}

/** Gives the digest of the ruleset that is in force; undefined when there is none. */
export async function loadedRuleset(namespace: Namespace, signal: AbortSignal): Promise<string | undefined> {
  const tables = await inNamespace(namespace, ['nft', '--terse', 'list', 'tables'], signal);
  if (!tables.includes(`table inet ${tableName}`)) return undefined;
  return rulesetDigest(
    await inNamespace(namespace, ['nft', '--terse', 'list', 'table', 'inet', tableName], signal),
  );
}

/**
 * Settles the namespace's kernel and its gateway address.
 *
 * The default route of type `local` brings answers to addresses of the outer world back to the endpoints, whose connections
 * carry their clients' own addresses.
 */
export async function prepareNamespace(
  namespace: Namespace,
  network: NetworkState,
  signal: AbortSignal,
): Promise<void> {
  const script = `while IFS== read -r name value; do
    case $name in -*) name=\${name#-}; [ -w "/proc/sys/net/$name" ] || continue;; esac
    echo "$value" > "/proc/sys/net/$name"
  done`;
  await inNamespace(namespace, ['sh', '-eu', '-c', script], signal, `${settings.join('\n')}\n`);
  await batch(
    namespace,
    [
      'link set lo up',
      `address replace ${network.gateway}/32 dev lo`,
      'route replace local default dev lo table main',
    ],
    signal,
  );
}

/** Makes an instance's tap when it is not there, down: not a packet passes it. Root inside may open it without further rights. */
export async function ensureTap(namespace: Namespace, instance: string, signal: AbortSignal): Promise<void> {
  const tap = tapName(instance);
  if ((await listTaps(namespace, signal)).includes(tap)) return;
  await inNamespace(namespace, ['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap', 'user', '0'], signal);
}

/** Puts a tap up, with the only neighbour that it can have. The rules must know it before. */
export async function openTap(
  namespace: Namespace,
  member: {
    readonly instance: string;
    readonly address: string;
    readonly mac: string;
    readonly gateway: string;
  },
  signal: AbortSignal,
): Promise<void> {
  const tap = tapName(member.instance);
  await batch(
    namespace,
    [
      `ntable change name arp_cache dev ${tap} proxy_delay 0`, // else an answer waits up to 0.8 s
      `link set ${tap} up`,
      `neighbour replace ${member.address} lladdr ${member.mac} nud permanent dev ${tap}`,
      `route replace ${member.address}/32 dev ${tap} src ${member.gateway}`,
    ],
    signal,
  );
}

/** Removes an instance's tap. */
export async function removeTap(namespace: Namespace, instance: string, signal: AbortSignal): Promise<void> {
  const tap = tapName(instance);
  if ((await listTaps(namespace, signal)).includes(tap))
    await batch(namespace, [`link delete ${tap}`], signal);
}

/**
 * Lists the taps of a deployment's namespace that a machine holds open; none when there is no namespace.
 *
 * A machine lives in a network of its own, so this tells that its tap is the one that the rules know: those of a namespace that
 * was removed while it ran, and made anew, have nobody behind them.
 */
export async function connectedTaps(
  namespace: Namespace | undefined,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (namespace === undefined) return new Set();
  const output = await inNamespace(namespace, ['ip', '-oneline', 'link', 'show'], signal);
  return new Set(
    [...output.matchAll(/^\d+: ([^:@]+):? <[^>]*\bLOWER_UP\b/gm)].flatMap(([, name]) => name ?? []),
  );
}

async function listTaps(namespace: Namespace, signal: AbortSignal): Promise<readonly string[]> {
  const output = await inNamespace(namespace, ['ip', '-oneline', 'link', 'show'], signal);
  return [...output.matchAll(/^\d+: ([^:@]+)/gm)].flatMap(([, name]) => name ?? []);
}

async function batch(namespace: Namespace, lines: readonly string[], signal: AbortSignal): Promise<void> {
  await inNamespace(namespace, ['ip', '-batch', '-'], signal, `${lines.join('\n')}\n`);
}

async function inNamespace(
  namespace: Namespace,
  command: readonly string[],
  signal: AbortSignal,
  input = '',
): Promise<string> {
  const [tool = '', ...args] = [...namespace.enter, ...command];
  return (await runCommand(tool, args, { signal, input })).stdout;
}
