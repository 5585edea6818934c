import { rm, statfs } from 'node:fs/promises';
import { runCommand } from '../../command.ts';
import type { NetworkState } from '../../model/step.ts';
import { systemCode } from '../../system-code.ts';
import { namespaceName, namespacePath, tapName } from './marks.ts';
import { rulesetDigest, tableName } from './ruleset.ts';

const namespaceFileSystem = 0x6e736673; // NSFS_MAGIC of linux/magic.h

/**
 * The namespace's own settings, below /proc/sys/net.
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
];

/** Tells whether a deployment's namespace is there. */
export async function hasNamespace(deployment: string): Promise<boolean> {
  try {
    return (await statfs(namespacePath(deployment))).type === namespaceFileSystem;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Makes a deployment's namespace when it is not there. */
export async function ensureNamespace(deployment: string, signal: AbortSignal): Promise<void> {
  if (await hasNamespace(deployment)) return;
  // `ip netns add` makes a file and then mounts the namespace on it: a kill between the two leaves the file
  await rm(namespacePath(deployment), { force: true });
  await runCommand('ip', ['netns', 'add', namespaceName(deployment)], { signal });
}

/** Removes a deployment's namespace with every device and rule in it. */
export async function removeNamespace(deployment: string, signal: AbortSignal): Promise<void> {
  if (await hasNamespace(deployment))
    await runCommand('ip', ['netns', 'delete', namespaceName(deployment)], { signal });
  await rm(namespacePath(deployment), { force: true });
}

/** Loads a ruleset into the namespace, in one transaction. */
export async function loadRuleset(deployment: string, ruleset: string, signal: AbortSignal): Promise<void> {
  await inNamespace(deployment, ['nft', '-f', '-'], signal, ruleset);
}

/** Gives the digest of the ruleset that is in force; undefined when there is none. */
export async function loadedRuleset(deployment: string, signal: AbortSignal): Promise<string | undefined> {
  const tables = await inNamespace(deployment, ['nft', '--terse', 'list', 'tables'], signal);
  if (!tables.includes(`table inet ${tableName}`)) return undefined;
  return rulesetDigest(
    await inNamespace(deployment, ['nft', '--terse', 'list', 'table', 'inet', tableName], signal),
  );
}

/**
 * Settles the namespace's kernel and its gateway address.
 *
 * The default route of type `local` brings answers to addresses of the outer world back to the endpoints, whose connections
 * carry their clients' own addresses.
 */
export async function prepareNamespace(
  deployment: string,
  network: NetworkState,
  signal: AbortSignal,
): Promise<void> {
  const script = 'while IFS== read -r name value; do echo "$value" > "/proc/sys/net/$name"; done';
  await inNamespace(deployment, ['sh', '-eu', '-c', script], signal, `${settings.join('\n')}\n`);
  await batch(
    deployment,
    [
      'link set lo up',
      `address replace ${network.gateway}/32 dev lo`,
      'route replace local default dev lo table main',
    ],
    signal,
  );
}

/** Makes an instance's tap when it is not there, down: not a packet passes it. */
export async function ensureTap(deployment: string, instance: string, signal: AbortSignal): Promise<void> {
  const tap = tapName(instance);
  if ((await listTaps(deployment, signal)).includes(tap)) return;
  await inNamespace(deployment, ['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap'], signal);
}

/** Puts a tap up, with the only neighbour that it can have. The rules must know it before. */
export async function openTap(
  deployment: string,
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
    deployment,
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
export async function removeTap(deployment: string, instance: string, signal: AbortSignal): Promise<void> {
  if (!(await hasNamespace(deployment))) return;
  const tap = tapName(instance);
  if ((await listTaps(deployment, signal)).includes(tap))
    await batch(deployment, [`link delete ${tap}`], signal);
}

async function listTaps(deployment: string, signal: AbortSignal): Promise<readonly string[]> {
  const output = await inNamespace(deployment, ['ip', '-oneline', 'link', 'show'], signal);
  return [...output.matchAll(/^\d+: ([^:@]+)/gm)].flatMap(([, name]) => name ?? []);
}

async function batch(deployment: string, lines: readonly string[], signal: AbortSignal): Promise<void> {
  await inNamespace(deployment, ['ip', '-batch', '-'], signal, `${lines.join('\n')}\n`);
}

async function inNamespace(
  deployment: string,
  command: readonly string[],
  signal: AbortSignal,
  input = '',
): Promise<string> {
  const args = [`--net=${namespacePath(deployment)}`, '--', ...command];
  return (await runCommand('nsenter', args, { signal, input })).stdout;
}
