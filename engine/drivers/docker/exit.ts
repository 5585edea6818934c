import { canonicalJson, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { writeTar } from '../../formats/tar.ts';
import { type ExitState, isExit } from '../../model/step.ts';
import type { DeploymentIdentity } from '../driver.ts';
import type { DriverContext } from './context.ts';
import type { InspectedContainer } from './engine-api.ts';
import { attendantImage, attendantPath } from './images.ts';
import { doorName, labelNames, labelsOf, networkName, outerNetworkName, outletName } from './labels.ts';
import { type ObjectRecord, readRecords, recordOf, recordsOf, removeRecord, writeRecord } from './records.ts';
import { outletRulesOf } from './rules.ts';
import { archiveOfRules, giveRules, rulesFile, untilReady, updateRules } from './sandbox.ts';

// nobody of the appliances and of the server
const nobody = 65534;

/** An exit as it is recorded. */
export type ExitRecord = ObjectRecord<'endpoint'> & { readonly state: ExitState };

/** Tells a record of a way out from one of a way in. */
export function isExitRecord(record: ObjectRecord<'endpoint'>): record is ExitRecord {
  return isExit(record.state);
}

/**
 * Brings a way out to its state: the sandboxes let its sources reach it, and a container listens at the gateway's address of the
 * deployment's network and lets out what is listed.
 *
 * All ways out of a deployment share one address, so a container of its own, the outlet, owns their network and its rules.
 */
export async function ensureExit(
  context: DriverContext,
  deployment: DeploymentIdentity,
  record: ExitRecord,
  signal: AbortSignal,
): Promise<void> {
  const { api } = context;
  const before = recordOf(await readRecords(context, deployment.id), 'endpoint', record.key);
  const isSettled = before?.fingerprint === record.fingerprint;
  if (isSettled && (await exitWorks(context, deployment.id, record.key))) {
    await writeRecord(context, deployment, record);
    return;
  }
  await writeRecord(context, deployment, { ...record, fingerprint: null });
  await updateRules(context, deployment.id);
  const name = doorName(deployment.id, record.key);
  await api.removeContainer(name);
  const outlet = await context.choosing(() => ensureOutlet(context, deployment, record, signal));
  const { address, port } = record.state.listen;
  await api.createContainer(name, {
    Image: await attendantImage(context, signal),
    Cmd: [
      attendantPath,
      'uplink',
      '--listen',
      `${address}:${port}`,
      '--log',
      '-',
      '--rules',
      `/${rulesFile}`,
    ],
    User: `${nobody}:${nobody}`,
    Labels: labelsOf(context.home, deployment, {
      ...{ kind: 'endpoint', key: record.key, generation: record.generation, role: 'door' },
      fixed: digestOf(canonicalJson(record.state)),
    }),
    HostConfig: {
      NetworkMode: `container:${outlet}`,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 64,
      Memory: 128 * 2 ** 20,
      MemorySwap: 128 * 2 ** 20,
      LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '2' } },
    },
  });
  const { subnet } = await networkState(context, deployment.id, record.key);
  const { sources, clients } = record.state;
  await api.putFiles(name, '/', archiveOfLists({ sources, clients, subnet }));
  await api.start(name);
  await untilReady(context, name, signal);
  await writeRecord(context, deployment, record);
}

/** Removes a way out, and with the last one the outlet. */
export async function removeExit(
  context: DriverContext,
  deployment: DeploymentIdentity,
  key: string,
): Promise<void> {
  await context.api.removeContainer(doorName(deployment.id, key));
  const left = recordsOf(await readRecords(context, deployment.id), 'endpoint').filter(isExitRecord);
  if (left.every((one) => one.key === key)) await context.api.removeContainer(outletName(deployment.id));
  await removeRecord(context, deployment, 'endpoint', key);
  await updateRules(context, deployment.id);
}

/** Tells whether a way out is served, in the network that its outlet has now. */
export async function exitWorks({ api }: DriverContext, deployment: string, key: string): Promise<boolean> {
  const [door, outlet] = await Promise.all([
    api.container(doorName(deployment, key)),
    api.container(outletName(deployment)),
  ]);
  return isIn(door, outlet);
}

function isIn(door: InspectedContainer | undefined, outlet: InspectedContainer | undefined): boolean {
  return (
    door?.isRunning === true &&
    outlet?.isRunning === true &&
    door.networkMode === `container:${outlet.id}` &&
    (door.startedAt ?? 0) >= (outlet.startedAt ?? 0)
  );
}

/** Brings the outlet to its state. @returns its id */
async function ensureOutlet(
  context: DriverContext,
  deployment: DeploymentIdentity,
  { key, state, generation }: ExitRecord,
  signal: AbortSignal,
): Promise<string> {
  const { api } = context;
  const name = outletName(deployment.id);
  const { subnet } = await networkState(context, deployment.id, key);
  const body = {
    Image: await attendantImage(context, signal),
    Cmd: [attendantPath, 'sandbox', '--rules', `/${rulesFile}`],
    HostConfig: {
      NetworkMode: outerNetworkName(deployment.id),
      CapDrop: ['ALL'],
      CapAdd: ['NET_ADMIN'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 64,
      Memory: 64 * 2 ** 20,
      MemorySwap: 64 * 2 ** 20,
      Sysctls: { 'net.ipv4.ip_forward': '0', 'net.ipv6.conf.all.disable_ipv6': '1' },
      LogConfig: { Type: 'local', Config: { 'max-size': '100k', 'max-file': '2' } },
    },
  };
  const fixed = digestOf(canonicalJson({ ...body, address: state.listen.address }));
  const rules = outletRulesOf(await readRecords(context, deployment.id), state.listen.address, subnet);
  const known = await api.container(name);
  if (known?.isRunning && known.labels[labelNames.fixed] === fixed) {
    await giveRules(context, name, rules);
    return known.id;
  }
  await api.removeContainer(name);
  const labels = labelsOf(context.home, deployment, {
    ...{ kind: 'endpoint', key, generation, role: 'outlet' },
    fixed,
  });
  const id = await api.createContainer(name, { ...body, Labels: labels });
  await api.connect(networkName(deployment.id), name, { IPAMConfig: { IPv4Address: state.listen.address } });
  await api.putFiles(name, '/', archiveOfRules(rules));
  await api.start(name);
  await untilReady(context, name, signal);
  return id;
}

async function networkState(context: DriverContext, deployment: string, key: string) {
  const [network] = recordsOf(await readRecords(context, deployment), 'network');
  if (network !== undefined) return network.state;
  throw new EngineError('INTERNAL_ERROR', `endpoint ${key} comes before its deployment's network`);
}

function archiveOfLists(lists: unknown) {
  const content = Buffer.from(JSON.stringify(lists));
  const owned = { uid: nobody, gid: nobody, mtime: 0, target: '', attributes: {}, mode: 0o400 };
  return writeTar([{ ...owned, path: rulesFile, type: 'file', size: content.length, content }]);
}
