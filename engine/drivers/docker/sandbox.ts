import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { canonicalJson, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { writeTar } from '../../formats/tar.ts';
import type { InstanceState } from '../../model/step.ts';
import type { DeploymentIdentity } from '../driver.ts';
import type { DriverContext } from './context.ts';
import { attendantImage, attendantPath } from './images.ts';
import { labelNames, labelsOf, networkName, sandboxName } from './labels.ts';
import { readRecords, recordsOf } from './records.ts';
import { rulesOf, type SandboxRules } from './rules.ts';

/** Where a sandbox finds its rules, from the root of its file system. */
export const rulesFile = 'rules.json';
const readyTimeoutMs = 60_000;
const atOnce = 8;

/**
 * Brings the container that owns an instance's network to its state. It loads rules before it says that it is ready, again
 * at every start, and nothing passes without them.
 *
 * @returns its id
 */
export async function ensureSandbox(
  context: DriverContext,
  deployment: DeploymentIdentity,
  instance: string,
  state: InstanceState,
  generation: number,
  signal: AbortSignal,
): Promise<string> {
  const { api } = context;
  const name = sandboxName(deployment.id, instance);
  const body = {
    Image: await attendantImage(context, signal),
    Cmd: [attendantPath, 'sandbox', '--rules', `/${rulesFile}`],
    Hostname: state.hostname,
    MacAddress: state.mac,
    HostConfig: {
      NetworkMode: networkName(deployment.id),
      CapDrop: ['ALL'],
      CapAdd: ['NET_ADMIN'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 64,
      Memory: 64 * 2 ** 20,
      MemorySwap: 64 * 2 ** 20,
      Dns: ['127.0.0.1'], // nobody answers there: names are those of wires
      Sysctls: {
        // what is a user's of an appliance and who serves a port are unrelated, as in a virtual machine
        'net.ipv4.ip_unprivileged_port_start': '0',
        'net.ipv4.ip_forward': '0',
        'net.ipv6.conf.all.disable_ipv6': '1',
      },
      LogConfig: { Type: 'local', Config: { 'max-size': '100k', 'max-file': '2' } },
    },
    NetworkingConfig: {
      EndpointsConfig: { [networkName(deployment.id)]: { IPAMConfig: { IPv4Address: state.address } } },
    },
  };
  const fixed = digestOf(canonicalJson(body));
  const records = await readRecords(context, deployment.id);
  const rules = rulesOf(records, instance, state.address);
  const known = await api.container(name);
  if (known?.isRunning && known.labels[labelNames.fixed] === fixed) {
    await giveRules(context, name, rules);
    return known.id;
  }
  if (known) await api.removeContainer(name);
  const labels = labelsOf(context.home, deployment, {
    kind: 'instance',
    key: instance,
    generation,
    role: 'sandbox',
    fixed,
  });
  const id = await api.createContainer(name, { ...body, Labels: labels });
  await api.putFiles(name, '/', archiveOfRules(rules));
  await api.start(name);
  await untilReady(context, name, signal);
  return id;
}

/** Brings the rules of all sandboxes of a deployment that run to what is recorded. */
export async function updateRules(context: DriverContext, deployment: string): Promise<void> {
  const records = await readRecords(context, deployment);
  const limit = pLimit(atOnce);
  await Promise.all(
    recordsOf(records, 'instance').map(({ key, state }) =>
      limit(async () => {
        const name = sandboxName(deployment, key);
        if (!(await context.api.container(name))?.isRunning) return; // its start reads what is recorded then
        await giveRules(context, name, rulesOf(records, key, state.address));
      }),
    ),
  );
}

/** Waits until a program of ours in a container says that it is ready. @throws EngineError TOOL_FAILED with what it said instead */
export async function untilReady(context: DriverContext, name: string, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(readyTimeoutMs)]);
  let said = '';
  for await (const part of context.api.logs(name, { follow: true, signal: limit })) {
    said += Buffer.from(part).toString();
    if (/^ready$/m.test(said)) return;
  }
  throw new EngineError('TOOL_FAILED', `${name} does not get ready: ${said.trim().slice(-400)}`, {
    details: { tool: 'docker' },
  });
}

/** Gives a sandbox that runs other rules. @throws EngineError TOOL_FAILED */
export async function giveRules({ api }: DriverContext, name: string, rules: SandboxRules): Promise<void> {
  await api.putFiles(name, '/', archiveOfRules(rules));
  const { exitCode, said } = await api.run(name, [
    attendantPath,
    'sandbox',
    '--rules',
    `/${rulesFile}`,
    '--once',
  ]);
  if (exitCode !== 0)
    throw new EngineError('TOOL_FAILED', `${name} cannot load its rules: ${said.slice(-400)}`, {
      details: { tool: 'docker' },
    });
}

/** Packs a sandbox's rules. */
export function archiveOfRules(rules: SandboxRules): Readable {
  const content = Buffer.from(JSON.stringify(rules));
  const common = { uid: 0, gid: 0, mtime: 0, target: '', attributes: {} };
  return writeTar([{ ...common, path: rulesFile, type: 'file', mode: 0o600, size: content.length, content }]);
}
