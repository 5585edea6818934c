import pLimit from 'p-limit';
import { EngineError } from '../../errors.ts';
import type { Observation, Observed, ObservedInstance } from '../../model/observation.ts';
import { isExit } from '../../model/step.ts';
import { askSupervisor, type GuestReport } from '../supervisor.ts';
import type { DriverContext } from './context.ts';
import { exitWorks } from './exit.ts';
import { hasImage } from './images.ts';
import { isConnected } from './instance.ts';
import { doorName, labelNames, objectName, ofDeployment, sandboxName } from './labels.ts';
import { networkWorks } from './network.ts';
import { type ObjectRecord, readRecords } from './records.ts';
import { supervisorOf } from './supervisor-of.ts';

const answerTimeoutMs = 1800;
const atOnce = 16;
const startMs = 30_000;

/** Tells what exists of a deployment: records say what to look for, the Engine says what is there. */
export async function observeDeployment(
  context: DriverContext,
  deployment: string,
  signal: AbortSignal,
): Promise<Observation> {
  const { objects } = await readRecords(context, deployment);
  const containers = await context.api.containers(ofDeployment(deployment), signal);
  const running = new Set(containers.filter((one) => one.state === 'running').map((one) => one.name));
  const volumes = new Set((await context.api.volumes(ofDeployment(deployment))).map((one) => one.name));
  const hasNetwork = objects.length > 0 && (await networkWorks(context, deployment));
  const limit = pLimit(atOnce);
  const works = async (record: ObjectRecord): Promise<boolean> => {
    switch (record.kind) {
      case 'network':
      case 'policy':
        return hasNetwork;
      case 'image':
        return await hasImage(context, record.state.kit, record.state.layers);
      case 'volume':
        return volumes.has(objectName(deployment, record.key));
      case 'endpoint':
        return isExit(record.state)
          ? await exitWorks(context, deployment, record.key)
          : running.has(doorName(deployment, record.key));
      case 'instance':
        return running.has(sandboxName(deployment, record.key));
      case 'snapshot':
        return false;
      default:
        return record satisfies never;
    }
  };
  const known = await Promise.all(
    objects.map((record) =>
      limit(async (): Promise<Observed | ObservedInstance> => {
        const { kind, key, generation, fingerprint } = record;
        if (kind !== 'instance') return { kind, key, generation, fingerprint, works: await works(record) };
        return {
          kind,
          key,
          generation,
          fingerprint,
          ...(await conditionOf(context, deployment, key, signal)),
        };
      }),
    ),
  );
  return { objects: [...known, ...unrecorded(objects, containers)] };
}

/** Lists instances that somebody was killed over before they were recorded. */
function unrecorded(
  objects: readonly ObjectRecord[],
  containers: readonly { readonly labels: Readonly<Record<string, string>> }[],
): readonly ObservedInstance[] {
  const keys = containers
    .filter(({ labels }) => labels[labelNames.kind] === 'instance')
    .map(({ labels }) => labels[labelNames.key] ?? '')
    .filter((key) => !objects.some((record) => record.kind === 'instance' && record.key === key));
  return [...new Set(keys)].map((key) => ({
    kind: 'instance',
    key,
    generation: 0,
    fingerprint: null,
    condition: 'unknown',
    healthy: null,
    message: 'its start was not finished',
  }));
}

async function conditionOf(
  context: DriverContext,
  deployment: string,
  key: string,
  signal: AbortSignal,
): Promise<GuestReport> {
  const container = await context.api.container(objectName(deployment, key));
  if (container === undefined || container.startedAt === null)
    return { condition: 'stopped', healthy: null, message: 'it was not started' };
  const { exitCode, finishedAt: at } = container;
  if (!container.isRunning && exitCode === 0)
    return {
      condition: 'stopped',
      healthy: null,
      message: 'it was switched off',
      ended: { cause: 'off', at },
    };
  if (!container.isRunning)
    return {
      condition: 'failed',
      healthy: false,
      message: `its container ended with ${exitCode}`,
      ended: { cause: 'died', at },
    };
  if (!(await isConnected(context, deployment, key)))
    return { condition: 'failed', healthy: null, message: 'its network was removed while it ran' };
  try {
    return await askSupervisor(supervisorOf(context, deployment, key), {
      timeoutMs: answerTimeoutMs,
      signal,
    });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === 'OPERATION_INTERRUPTED') throw error;
  }
  if (Date.now() - container.startedAt < startMs)
    return { condition: 'starting', healthy: null, message: 'starts' };
  return { condition: 'unknown', healthy: null, message: 'its supervisor does not answer' };
}
