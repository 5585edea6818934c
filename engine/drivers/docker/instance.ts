import { createHash } from 'node:crypto';
import { canonicalJson, type Digest, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { writeTar } from '../../formats/tar.ts';
import type { GuestFile } from '../../model/guest-file.ts';
import type { InstanceState } from '../../model/step.ts';
import { ask } from '../channel.ts';
import type { DeploymentIdentity } from '../driver.ts';
import { checkInstanceAddress } from './addresses.ts';
import type { DriverContext } from './context.ts';
import { ensureImage, supervisorPath } from './images.ts';
import { labelNames, labelsOf, objectName, sandboxName } from './labels.ts';
import { type ObjectRecord, readRecords, recordOf, removeRecord, writeRecord } from './records.ts';
import { ensureSandbox } from './sandbox.ts';
import { supervisorOf } from './supervisor-of.ts';

const mebibyte = 2 ** 20;
const applyTimeoutMs = 60_000;
const processes = 512;

/** Memory of an instance beside what its services get: the supervisor, and what a command takes that is run in it. */
export const supervisorBytes = 32 * mebibyte;

// what it takes to run services as other users and to give files to them; nothing that reaches beyond the container
const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SYS_CHROOT'];

/** What an instance is brought to. */
export type InstanceGoal = {
  readonly deployment: DeploymentIdentity;
  readonly record: ObjectRecord<'instance'>;
  readonly files: readonly GuestFile[];
  /** True when a container of an earlier generation shall go even if it could be kept. */
  readonly isReplaced: boolean;
  readonly signal: AbortSignal;
};

/** Brings an instance to its state: changes a running container in place where only its files differ, else starts a new one. */
export async function ensureInstance(context: DriverContext, goal: InstanceGoal): Promise<void> {
  const { deployment, record } = goal;
  const { state } = record;
  if (state.boot !== undefined)
    throw new EngineError('INSTANCE_FAILED', `${record.key}: a Docker Engine cannot boot a whole disk`, {
      hint: 'Use a pool of virtual machines.',
    });
  checkInstanceAddress(state.address, state.prefix);
  const before = recordOf(await readRecords(context, deployment.id), 'instance', record.key);
  const files = digestOf(canonicalJson(goal.files));
  const fixed = fixedDigest(state);
  const isWanted = !(goal.isReplaced && before?.generation !== record.generation);
  if (isWanted && before && (await isKept(context, deployment.id, record.key, fixed))) {
    if (before.files !== files) {
      await writeRecord(context, deployment, {
        ...record,
        generation: before.generation,
        fingerprint: null,
      });
      await applyFiles(context, deployment.id, record.key, goal);
    }
    await writeRecord(context, deployment, { ...record, files });
    return;
  }
  if (before) await writeRecord(context, deployment, { ...record, fingerprint: null });
  await stopInstance(context, deployment.id, record.key, before?.state ?? state);
  await start(context, goal, fixed);
  await writeRecord(context, deployment, { ...record, files });
}

/** Stops an instance and removes everything of it but its volumes. */
export async function removeInstance(
  context: DriverContext,
  deployment: DeploymentIdentity,
  instance: string,
): Promise<void> {
  const before = recordOf(await readRecords(context, deployment.id), 'instance', instance);
  await stopInstance(context, deployment.id, instance, before?.state);
  await context.api.removeContainer(objectName(deployment.id, instance));
  await context.api.removeContainer(sandboxName(deployment.id, instance));
  await removeRecord(context, deployment, 'instance', instance);
}

/** Stops an instance's services in good order; its container and its network stay. */
export async function stopInstance(
  { api }: DriverContext,
  deployment: string,
  instance: string,
  state: InstanceState | undefined,
): Promise<void> {
  await api.stop(objectName(deployment, instance), state ? stopSeconds(state) : 30);
}

/** Tells whether a container's network is the one that its sandbox has now: it has another one after a restart of the sandbox. */
export async function isConnected(
  { api }: DriverContext,
  deployment: string,
  instance: string,
): Promise<boolean> {
  const [own, sandbox] = await Promise.all([
    api.container(objectName(deployment, instance)),
    api.container(sandboxName(deployment, instance)),
  ]);
  return (
    sandbox?.isRunning === true &&
    own?.networkMode === `container:${sandbox.id}` &&
    (own.startedAt ?? 0) >= (sandbox.startedAt ?? 0)
  );
}

async function isKept(
  context: DriverContext,
  deployment: string,
  instance: string,
  fixed: Digest,
): Promise<boolean> {
  const known = await context.api.container(objectName(deployment, instance));
  return (
    known?.isRunning === true &&
    known.labels[labelNames.fixed] === fixed &&
    (await isConnected(context, deployment, instance))
  );
}

async function start(context: DriverContext, goal: InstanceGoal, fixed: Digest): Promise<void> {
  const { api } = context;
  const { deployment, record, signal } = goal;
  const { key, state, generation } = record;
  const name = objectName(deployment.id, key);
  await api.removeContainer(name);
  const [image, sandbox] = await Promise.all([
    ensureImage(context, state.kit, state.layers),
    ensureSandbox(context, deployment, key, state, generation, signal),
  ]);
  await renewScratch(context, deployment, record);
  const memoryBytes = state.memoryBytes + supervisorBytes;
  const facts = await api.facts(signal);
  await api.createContainer(name, {
    Image: image,
    Cmd: [supervisorPath],
    Labels: labelsOf(context.home, deployment, {
      kind: 'instance',
      key,
      generation,
      role: 'appliance',
      fixed,
    }),
    StopSignal: 'SIGTERM',
    HostConfig: {
      NetworkMode: `container:${sandbox}`,
      CapDrop: ['ALL'],
      CapAdd: capabilities,
      SecurityOpt: ['no-new-privileges'],
      ...(facts.limitsProcesses && { PidsLimit: processes }),
      ...(facts.limitsMemory && { Memory: memoryBytes, MemorySwap: memoryBytes }),
      ...(facts.limitsCpu && { NanoCpus: state.cpuMillicores * 1e6 }),
      LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '3' } },
      Mounts: state.volumes.map((volume) => ({
        Type: 'volume',
        Source: objectName(deployment.id, volume.key),
        Target: volume.mount,
      })),
    },
  });
  await api.putFiles(name, '/', giftsOf(deployment.id, key, state, goal.files));
  if (signal.aborted) throw new EngineError('OPERATION_INTERRUPTED', `${key}: stopped on request`);
  await api.start(name);
}

/** Makes scratch volumes anew: what is on them is lost at each start. */
async function renewScratch(
  { api, home }: DriverContext,
  deployment: DeploymentIdentity,
  { state, generation }: ObjectRecord<'instance'>,
): Promise<void> {
  for (const { key, kind } of state.volumes) {
    if (kind !== 'scratch') continue;
    await api.removeVolume(objectName(deployment.id, key));
    await api.createVolume(
      objectName(deployment.id, key),
      labelsOf(home, deployment, { kind: 'volume', key, generation }),
    );
  }
}

async function applyFiles(
  context: DriverContext,
  deployment: string,
  instance: string,
  goal: InstanceGoal,
): Promise<void> {
  const written = goal.files.map(writtenFile);
  const patience = { timeoutMs: applyTimeoutMs, signal: goal.signal };
  await ask(supervisorOf(context, deployment, instance), 'apply', { files: written }, patience);
}

/** Packs what an instance starts with. It rests in the container's own file system, which root alone can read at the Engine. */
function giftsOf(deployment: string, instance: string, state: InstanceState, files: readonly GuestFile[]) {
  const id = createHash('sha256')
    .update(`${deployment}.${instance.replaceAll('/', '-')}`)
    .digest('hex');
  const machineId: GuestFile = { path: '/etc/machine-id', content: `${id.slice(0, 32)}\n`, mode: '0444' };
  const gifts = { address: state.address, files: [machineId, ...files].map(writtenFile) };
  const content = Buffer.from(JSON.stringify(gifts));
  const common = { uid: 0, gid: 0, mtime: 0, target: '', attributes: {} };
  return writeTar([
    { ...common, path: 'etc/sheaf/', type: 'directory', mode: 0o755, size: 0 },
    { ...common, path: 'etc/sheaf/gifts.json', type: 'file', mode: 0o600, size: content.length, content },
  ]);
}

function writtenFile({ path, content, mode, owner }: GuestFile) {
  return {
    path,
    content: Buffer.from(content).toString('base64'),
    encoding: 'b64',
    permissions: mode,
    owner: owner ?? 'root:root',
  };
}

/** Gives a digest of what can only be changed by a new container; the rest goes in place. */
function fixedDigest(state: InstanceState): Digest {
  const { kit, layers, cpuMillicores, memoryBytes, hostname, address, prefix, gateway, mac } = state;
  const volumes = state.volumes.map(({ name, key, kind, mount }) => ({ name, key, kind, mount }));
  return digestOf(
    canonicalJson({
      ...{ kit, layers, cpuMillicores, memoryBytes, hostname },
      ...{ address, prefix, gateway, mac, volumes },
    }),
  );
}

function stopSeconds({ services, hooks }: InstanceState): number {
  const all = services.reduce((sum, service) => sum + service.stop.timeoutMs, hooks.drain?.timeoutMs ?? 0);
  return Math.min(Math.ceil(all / 1000) + 5, 180);
}
