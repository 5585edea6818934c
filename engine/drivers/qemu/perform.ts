import { rm } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';
import type { Step } from '../../model/step.ts';
import type { StepContext } from '../driver.ts';
import { readKit } from '../read-kit.ts';
import type { DriverContext } from './context.ts';
import { diskSources } from './disk-source.ts';
import { ensureDisk, exists } from './disks.ts';
import { ensureEndpoint, removeEndpoint } from './endpoint.ts';
import { ensureInstance, removeInstance } from './instance.ts';
import { applyRules, ensureNetwork, reduceRules } from './network.ts';
import { ensureAttendant } from './programs.ts';
import {
  fingerprintOf,
  listRecords,
  type ObjectRecord,
  readRecord,
  removeRecord,
  writeRecord,
} from './record.ts';
import { dropSnapshot, restoreVolume, setAside, takeSnapshot } from './snapshots.ts';
import { ensureVolume, volumePath } from './volumes.ts';

type Ensure = Extract<Step, { action: 'ensure' }>;
type Remove = Extract<Step, { action: 'remove' }>;

/**
 * Does one step.
 *
 * Each object's record loses its fingerprint before the first act on it and gets it back after the last, and a
 * removed object's record goes last, so a kill in between leaves a record that asks to be worked on.
 */
export async function performStep(context: DriverContext, step: Step, work: StepContext): Promise<void> {
  if (work.signal.aborted)
    throw new EngineError('OPERATION_INTERRUPTED', `${step.kind} ${step.key}: stopped on request`);
  if (step.action === 'ensure') await ensure(context, step, work);
  else await remove(context, step, work);
}

async function ensure(context: DriverContext, step: Ensure, work: StepContext): Promise<void> {
  const { signal } = work;
  const { id } = work.deployment;
  const common = {
    key: step.key,
    generation: step.generation,
    owner: work.deployment.owner,
    blueprint: work.deployment.blueprint,
    fingerprint: fingerprintOf(step.desired),
  };
  switch (step.kind) {
    case 'network': {
      const record: ObjectRecord<'network'> = { ...common, kind: step.kind, state: step.desired };
      await around(context, id, record, () =>
        context.rules(() => ensureNetwork(context, id, record.state, signal)),
      );
      return;
    }
    case 'policy': {
      const record: ObjectRecord<'policy'> = { ...common, kind: step.kind, state: step.desired };
      await around(context, id, record, () => context.rules(() => applyRules(context, id, signal)));
      return;
    }
    case 'image': {
      const record: ObjectRecord<'image'> = { ...common, kind: step.kind, state: step.desired };
      await around(context, id, record, async () => {
        await readKit(context.blobs, record.state.kit);
        await ensureAttendant(context, signal);
        await Promise.all(diskSources(record.state).map((source) => ensureDisk(context, source, signal)));
      });
      return;
    }
    case 'volume': {
      const record: ObjectRecord<'volume'> = { ...common, kind: step.kind, state: step.desired };
      const before = await readRecord(context.layout, id, 'volume', step.key);
      await around(context, id, record, async () => {
        if (await isToRestore(context, id, record, before))
          await restoreVolume(context, id, record.key, record.state.restored ?? '', signal);
        const snapshots = (await listRecords(context.layout, id, 'snapshot'))
          .filter(({ state }) => state.volumes.includes(record.key))
          .map(({ key }) => key);
        const keepAside = () => setAside(context, id, record.key, snapshots);
        await ensureVolume(context, id, record.key, record.state.sizeBytes, { keepAside, signal });
      });
      return;
    }
    case 'snapshot': {
      const record: ObjectRecord<'snapshot'> = { ...common, kind: step.kind, state: step.desired };
      const { state } = record;
      const { report } = work;
      const before = await readRecord(context.layout, id, 'snapshot', step.key);
      // it is of the moment when it was taken, whoever asks again
      if (before?.fingerprint === common.fingerprint) return;
      await around(context, id, record, () =>
        takeSnapshot(context, { deployment: id, key: step.key, state, signal, report }),
      );
      return;
    }
    case 'instance': {
      const record: ObjectRecord<'instance'> = { ...common, kind: step.kind, state: step.desired };
      const isReplaced = step.change === 'replace';
      await ensureInstance(context, { deployment: id, record, files: work.files, isReplaced, signal });
      return;
    }
    case 'endpoint': {
      const record: ObjectRecord<'endpoint'> = { ...common, kind: step.kind, state: step.desired };
      await ensureEndpoint(context, id, record, signal);
      return;
    }
    default:
      step satisfies never;
  }
}

async function remove(context: DriverContext, step: Remove, work: StepContext): Promise<void> {
  const { layout } = context;
  const { signal } = work;
  const { id } = work.deployment;
  switch (step.kind) {
    case 'network':
      await context.namespaces.remove(id, signal);
      break;
    case 'volume': {
      const record = await readRecord(layout, id, 'volume', step.key);
      if (record?.state.kind === 'data' && !step.deletesData) return;
      await rm(volumePath(context, id, step.key), { force: true });
      break;
    }
    case 'snapshot': {
      const record = await readRecord(layout, id, 'snapshot', step.key);
      const state = record?.state ?? step.before;
      if (state) await dropSnapshot(context, { deployment: id, key: step.key, state, signal });
      break;
    }
    case 'instance':
      await removeInstance(context, id, step.key, signal);
      await context.rules(() => reduceRules(context, id, signal)); // it may have been one that is probed from outside
      return;
    case 'endpoint':
      await removeEndpoint(context, id, step.key, signal);
      return;
    case 'image': // its disks are kept for the next deployment of the image
    case 'policy':
      break;
    default:
      step satisfies never;
  }
  await removeRecord(layout, id, step.kind, step.key);
  if (step.kind === 'policy') await context.rules(() => reduceRules(context, id, signal));
}

// once only: what was written since then stays
async function isToRestore(
  context: DriverContext,
  deployment: string,
  { key, state }: ObjectRecord<'volume'>,
  before: ObjectRecord<'volume'> | undefined,
): Promise<boolean> {
  if (state.restored === undefined || before === undefined) return false;
  if (before.fingerprint !== null && before.state.restored === state.restored) return false;
  return await exists(volumePath(context, deployment, key));
}

async function around(
  context: DriverContext,
  deployment: string,
  record: ObjectRecord,
  act: () => Promise<unknown>,
): Promise<void> {
  await writeRecord(context.layout, deployment, { ...record, fingerprint: null });
  await act();
  await writeRecord(context.layout, deployment, record);
}
