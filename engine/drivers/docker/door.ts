import { canonicalJson, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import type { EntryState } from '../../model/step.ts';
import type { DeploymentIdentity } from '../driver.ts';
import { addressPlan } from './addresses.ts';
import type { DriverContext } from './context.ts';
import { attendantImage, attendantPath } from './images.ts';
import { doorName, labelNames, labelsOf, networkName, outerNetworkName } from './labels.ts';
import {
  type ObjectRecord,
  type Records,
  readRecords,
  recordOf,
  recordsOf,
  removeRecord,
  writeRecord,
} from './records.ts';
import { untilReady, updateRules } from './sandbox.ts';

/** A way in as it is recorded. */
export type EntryRecord = ObjectRecord<'endpoint'> & { readonly state: EntryState };

// nobody of the appliances and of the server
const doorUser = '65534:65534';

/**
 * Brings an endpoint to its state: the sandboxes let it reach its targets, and a container of its own listens at an address
 * that the Engine publishes, and passes connections on in turn.
 */
export async function ensureDoor(
  context: DriverContext,
  deployment: DeploymentIdentity,
  record: EntryRecord,
  signal: AbortSignal,
): Promise<void> {
  const { state } = record;
  const name = doorName(deployment.id, record.key);
  const known = await context.api.container(name);
  const fixed = digestOf(canonicalJson(state));
  const before = recordOf(await readRecords(context, deployment.id), 'endpoint', record.key);
  const isSettled = before?.fingerprint === record.fingerprint && before.door !== undefined;
  if (known?.isRunning && known.labels[labelNames.fixed] === fixed && isSettled) {
    await writeRecord(context, deployment, { ...record, ...(before.door && { door: before.door }) });
    return;
  }
  const door = await context.choosing(async () => {
    const chosen = chooseAddress(await readRecords(context, deployment.id), record.key);
    await writeRecord(context, deployment, { ...record, fingerprint: null, door: chosen });
    return chosen;
  });
  await updateRules(context, deployment.id);
  await context.api.removeContainer(name);
  const labels = labelsOf(context.home, deployment, {
    kind: 'endpoint',
    key: record.key,
    generation: record.generation,
    role: 'door',
    fixed,
  });
  await start(
    context,
    deployment.id,
    name,
    { ...(await bodyOf(context, deployment.id, state, signal)), Labels: labels },
    door,
  );
  try {
    await context.api.start(name);
    await untilReady(context, name, signal);
  } catch (error) {
    await context.api.removeContainer(name);
    if (!(error instanceof EngineError) || error.code !== 'ADDRESS_TAKEN') throw error;
    const { address, port } = state.listen;
    throw new EngineError(
      'ADDRESS_TAKEN',
      `${record.key}: ${address}:${port} is in use on the Docker Engine`,
      {
        hint: `Choose another one with --expose ${record.key}=${address}:PORT.`,
        details: { endpoint: record.key, ...state.listen },
        cause: error,
      },
    );
  }
  await writeRecord(context, deployment, { ...record, door });
}

/** Removes an endpoint: its container, and the rules that let it in. */
export async function removeDoor(
  context: DriverContext,
  deployment: DeploymentIdentity,
  key: string,
): Promise<void> {
  await context.api.removeContainer(doorName(deployment.id, key));
  await removeRecord(context, deployment, 'endpoint', key);
  await updateRules(context, deployment.id);
}

async function start(
  { api }: DriverContext,
  deployment: string,
  name: string,
  body: Readonly<Record<string, unknown>>,
  address: string,
): Promise<void> {
  await api.createContainer(name, body);
  await api.connect(networkName(deployment), name, { IPAMConfig: { IPv4Address: address } });
}

async function bodyOf(context: DriverContext, deployment: string, state: EntryState, signal: AbortSignal) {
  const { listen, transport, targets, proxyProtocol } = state;
  const port = `${listen.port}/${transport}`;
  return {
    Image: await attendantImage(context, signal),
    Cmd: [
      ...[attendantPath, 'endpoint', '--listen', `0.0.0.0:${listen.port}`, '--transport', transport],
      ...(proxyProtocol ? ['--proxy-protocol'] : []),
      ...targets.flatMap((target) => ['--target', `${target.address}:${target.port}`]),
    ],
    User: doorUser,
    ExposedPorts: { [port]: {} },
    HostConfig: {
      NetworkMode: outerNetworkName(deployment),
      PortBindings: { [port]: [{ HostIp: listen.address, HostPort: String(listen.port) }] },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      PidsLimit: 64,
      Memory: 128 * 2 ** 20,
      MemorySwap: 128 * 2 ** 20,
      Dns: ['127.0.0.1'],
      Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ip_forward': '0' },
      LogConfig: { Type: 'local', Config: { 'max-size': '100k', 'max-file': '2' } },
    },
  };
}

function chooseAddress(records: Records, key: string): string {
  const own = recordOf(records, 'endpoint', key)?.door;
  if (own !== undefined) return own;
  const [network] = recordsOf(records, 'network');
  if (network === undefined)
    throw new EngineError('INTERNAL_ERROR', `endpoint ${key} comes before its deployment's network`);
  const taken = new Set(recordsOf(records, 'endpoint').map(({ door }) => door));
  const { doors } = addressPlan(network.state.subnet);
  const free = doors.find((address) => !taken.has(address));
  if (free !== undefined) return free;
  throw new EngineError(
    'PLACEMENT_IMPOSSIBLE',
    `a Docker Engine takes ${doors.length} endpoints of one deployment`,
    { hint: 'Use fewer external terminals, or another pool.' },
  );
}
