import { requireTools, runCommand } from '../../command.ts';
import { EngineError } from '../../errors.ts';
import {
  type Refusal,
  type SubordinateIds,
  userNamespaceOptions,
  userNamespaceRefusal,
} from '../../user-namespace.ts';
import { plainText } from '../channel.ts';
import { rulesetDigest, rulesetOf } from './ruleset.ts';

/** Everything that bringing a machine up runs on the host: programs that a server must have. */
export const machineTools = [
  ...['setpriv', 'unshare', 'nsenter', 'ip', 'nft'],
  ...['sqfstar', 'mkfs.ext4', 'qemu-img', 'qemu-system-x86_64'],
];

/** What keeps wires from being enforced; with a remedy where the system keeps this user from it. */
export type IsolationRefusal = { readonly reason: string; readonly remedy?: string };

/**
 * Finds out whether this process may do what keeps deployments apart, by doing it in a namespace that ends with the trial.
 *
 * @param user - undefined for root, who needs no user namespace
 * @returns undefined when it may, else what was refused
 * @throws EngineError TOOL_MISSING naming every program that a machine here would lack
 */
export async function isolationRefusal(
  user: { readonly subordinates: SubordinateIds | undefined } | undefined,
  signal: AbortSignal,
): Promise<IsolationRefusal | undefined> {
  await requireTools(machineTools);
  const refused = user && (await userNamespaceRefusal(user.subordinates, signal));
  if (refused !== undefined) return refused;
  const network = { subnet: '192.0.2.0/24', gateway: '192.0.2.1' };
  const ruleset = rulesetOf({ network, policy: null, targets: [], ways: [] });
  const script = 'ip tuntap add dev trial mode tap || exit 1; nft -f -; nft list table inet sheaf';
  const options = user === undefined ? [] : userNamespaceOptions(user.subordinates);
  try {
    const command = [...options, '--net', '--', 'sh', '-eu', '-c', script];
    const { stdout } = await runCommand('unshare', command, { signal, input: ruleset });
    const isKept = rulesetDigest(stdout) === rulesetDigest(ruleset);
    return isKept ? undefined : { reason: 'nft does not keep packet rules' };
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'TOOL_FAILED') throw error;
    const said = plainText(error.message);
    return (user && tapRefusal(said)) ?? { reason: said };
  }
}

/** Recognises that machines cannot be given network cards. @source iproute2, tap_add_ioctl */
function tapRefusal(said: string): Refusal | undefined {
  if (/open: Permission denied/.test(said))
    return {
      reason: '/dev/net/tun, by which machines get their network cards, is not open to this user',
      remedy: 'As root: chmod 0666 /dev/net/tun (systems with udev have it so).',
    };
  if (/open: No such (file|device)/.test(said))
    return {
      reason: 'there is no /dev/net/tun, by which machines get their network cards',
      remedy: 'As root: modprobe tun. A container gets it by: --device /dev/net/tun',
    };
  return undefined;
}
