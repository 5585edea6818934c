import pLimit from 'p-limit';
import { EngineError } from '../../errors.ts';
import type { Observation, Observed, ObservedInstance } from '../../model/observation.ts';
import { currentBoot } from '../../process-identity.ts';
import { plainText } from '../channel.ts';
import { askSupervisor, type GuestReport } from '../supervisor.ts';
import { changeTime, consoleOf, howItEnded, lastLines } from './console.ts';
import type { DriverContext } from './context.ts';
import { diskSources } from './disk-source.ts';
import { hasDisk } from './disks.ts';
import { works } from './endpoint.ts';
import { isMachine } from './find-machines.ts';
import { runtimeFiles } from './layout.ts';
import { tapName } from './marks.ts';
import { machineState } from './monitor.ts';
import { connectedTaps } from './namespace.ts';
import { networkWorks } from './network.ts';
import { ageMs, bootTime } from './processes.ts';
import { listRecords, type ObjectRecord } from './record.ts';
import { volumeExists } from './rescue.ts';
import { unixSocket } from './unix-socket.ts';
import { probe } from './whole-disk.ts';

/** How long a guest may take to answer; many are asked at once. */
const answerTimeoutMs = 1500;
const monitorTimeoutMs = 400;
const atOnce = 16;
/** A machine that has not answered yet counts as starting for so long, and as unknown then. */
const bootMs = 90_000;
/** A whole system takes longer, the more so without KVM. */
const diskBootMs = 240_000;

/** Tells what exists of a deployment: records say what to look for, the machine says what is there. */
export async function observeDeployment(
  context: DriverContext,
  deployment: string,
  signal: AbortSignal,
): Promise<Observation> {
  const { layout, namespaces } = context;
  const limit = pLimit(atOnce);
  const networks = await listRecords(layout, deployment, 'network');
  const policies = await listRecords(layout, deployment, 'policy');
  const namespace = await namespaces.find(deployment);
  const rulesHold = networks.length > 0 && (await networkWorks(context, deployment, signal));
  const images = await listRecords(layout, deployment, 'image');
  const volumes = await listRecords(layout, deployment, 'volume');
  const snapshots = await listRecords(layout, deployment, 'snapshot');
  const endpoints = await listRecords(layout, deployment, 'endpoint');
  const instances = await listRecords(layout, deployment, 'instance');
  const taps = instances.length === 0 ? new Set<string>() : await connectedTaps(namespace, signal);
  const objects: readonly (Observed | ObservedInstance)[] = [
    ...networks.map((record) => observed(record, rulesHold)),
    ...policies.map((record) => observed(record, rulesHold)),
    ...(await Promise.all(images.map(async (record) => observed(record, await imageWorks(context, record))))),
    ...(await Promise.all(
      volumes.map(async (record) => observed(record, await volumeExists(context, deployment, record.key))),
    )),
    ...(await Promise.all(
      snapshots.map(async (record) => {
        const there = record.state.volumes.map((key) => volumeExists(context, deployment, key));
        return observed(record, (await Promise.all(there)).every(Boolean));
      }),
    )),
    ...(await Promise.all(
      instances.map((record) => limit(() => observeInstance(context, deployment, record, taps, signal))),
    )),
    ...endpoints.map((record) => observed(record, works(deployment, record, namespace))),
  ];
  return { objects };
}

function observed(record: ObjectRecord<Observed['kind']>, isWorking: boolean): Observed {
  const { kind, key, generation, fingerprint } = record;
  return { kind, key, generation, fingerprint, works: isWorking };
}

async function imageWorks(context: DriverContext, { state }: ObjectRecord<'image'>): Promise<boolean> {
  const found = await Promise.all(diskSources(state).map((source) => hasDisk(context, source)));
  return found.every((isThere) => isThere);
}

async function observeInstance(
  context: DriverContext,
  deployment: string,
  record: ObjectRecord<'instance'>,
  taps: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ObservedInstance> {
  const { key, generation, fingerprint } = record;
  const seen = { kind: 'instance', key, generation, fingerprint } as const;
  return { ...seen, ...(await conditionOf(context, deployment, record, taps, signal)) };
}

async function conditionOf(
  context: DriverContext,
  deployment: string,
  record: ObjectRecord<'instance'>,
  taps: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<GuestReport> {
  const machine = record.process;
  if (!isMachine(machine, deployment, record.key)) return await afterTheEnd(context, deployment, record);
  if (!taps.has(tapName(record.key)))
    return { condition: 'failed', healthy: null, message: 'its network was removed while it ran' };
  const files = runtimeFiles(context.layout, deployment, record.key);
  const { boot } = record.state;
  try {
    if (boot === undefined)
      return await askSupervisor(unixSocket(files.control), { timeoutMs: answerTimeoutMs, signal });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === 'OPERATION_INTERRUPTED') throw error;
  }
  const machineSays = await machineState(files.qmp, { timeoutMs: monitorTimeoutMs, signal }).catch(
    () => 'silent',
  );
  if (machineSays === 'io-error')
    return {
      condition: 'failed',
      healthy: false,
      message: 'its disks cannot be written: is the server full?',
    };
  const namespace = await context.namespaces.find(deployment);
  if (boot !== undefined && machineSays === 'running' && namespace !== undefined)
    return await probe(context, namespace, record.state, ageMs(machine) < diskBootMs, signal);
  if (ageMs(machine) < bootMs) return { condition: 'starting', healthy: null, message: 'boots' };
  return { condition: 'unknown', healthy: null, message: 'its supervisor does not answer' };
}

async function afterTheEnd(
  context: DriverContext,
  deployment: string,
  record: ObjectRecord<'instance'>,
): Promise<GuestReport> {
  if (record.process === undefined)
    return { condition: 'stopped', healthy: null, message: 'it was not started' };
  if (record.process.bootId !== currentBoot())
    return {
      condition: 'stopped',
      healthy: null,
      message: 'its server was restarted',
      ended: { cause: 'restart', at: await bootTime() },
    };
  const kept = consoleOf(context, deployment, record.key);
  const last = plainText(await lastLines(kept.file, 2));
  // its keeper marks the console when the machine ends
  const at = await changeTime(kept.file);
  // what the kernel says last when the machine was switched off from inside
  if (/reboot: Power down$/.test(last))
    return {
      condition: 'stopped',
      healthy: null,
      message: 'it was switched off',
      ended: { cause: 'off', at },
    };
  const words = last === '' ? '' : `; its last words: ${last}`;
  return {
    condition: 'failed',
    healthy: false,
    message: plainText(`its machine ${await howItEnded(kept)}${words}`),
    ended: { cause: 'died', at },
  };
}
