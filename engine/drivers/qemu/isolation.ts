import { requireTools, runCommand } from '../../command.ts';
import { EngineError } from '../../errors.ts';
import { plainText } from './channel.ts';
import { rulesetDigest, rulesetOf } from './ruleset.ts';

/** Everything that bringing a machine up runs on the host. */
const machineTools = [
  ...['setpriv', 'unshare', 'nsenter', 'ip', 'nft'],
  ...['sqfstar', 'mkfs.ext4', 'genisoimage', 'qemu-img', 'qemu-system-x86_64'],
];

/**
 * Finds out whether this process may do what keeps deployments apart, by doing it in a namespace that ends with the trial.
 *
 * @returns undefined when it may, else what was refused
 * @throws EngineError TOOL_MISSING naming every program that a machine here would lack
 */
export async function isolationRefusal(userId: number, signal: AbortSignal): Promise<string | undefined> {
  if (userId !== 0) return 'namespaces, taps and packet filters need root on this machine';
  const network = { subnet: '192.0.2.0/24', gateway: '192.0.2.1' };
  const ruleset = rulesetOf({ network, policy: null, targets: [], ways: [] });
  const script = 'ip tuntap add dev trial mode tap; nft -f -; nft list table inet sheaf';
  await requireTools(machineTools);
  try {
    const command = ['--net', '--', 'sh', '-eu', '-c', script];
    const { stdout } = await runCommand('unshare', command, { signal, input: ruleset });
    return rulesetDigest(stdout) === rulesetDigest(ruleset) ? undefined : 'nft does not keep packet rules';
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'TOOL_FAILED') throw error;
    return plainText(error.message);
  }
}
