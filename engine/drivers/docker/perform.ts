import { EngineError } from '../../errors.ts';
import { isExit, type Step } from '../../model/step.ts';
import type { StepContext } from '../driver.ts';
import type { DriverContext } from './context.ts';
import { ensureDoor, removeDoor } from './door.ts';
import { ensureExit, isExitRecord, removeExit } from './exit.ts';
import { attendantImage, ensureImage } from './images.ts';
import { ensureInstance, removeInstance } from './instance.ts';
import { labelsOf, objectName } from './labels.ts';
import { ensureNetwork, removeNetwork } from './network.ts';
import {
  fingerprintOf,
  type ObjectRecord,
  readRecords,
  recordOf,
  removeRecord,
  writeRecord,
} from './records.ts';
import { updateRules } from './sandbox.ts';

type Ensure = Extract<Step, { action: 'ensure' }>;
type Remove = Extract<Step, { action: 'remove' }>;

/**
 * Does one step.
 *
 * An object's record has no fingerprint from the first act on it to the last, and a removed object's record goes last, so a
 * kill in between leaves a record that asks to be worked on.
 */
export async function performStep(context: DriverContext, step: Step, work: StepContext): Promise<void> {
  if (work.signal.aborted)
    throw new EngineError('OPERATION_INTERRUPTED', `${step.kind} ${step.key}: stopped on request`);
  if (step.action === 'ensure') await ensure(context, step, work);
  else await remove(context, step, work);
}

async function ensure(context: DriverContext, step: Ensure, work: StepContext): Promise<void> {
  const { deployment, signal } = work;
  const { key, generation } = step;
  const common = { key, generation, fingerprint: fingerprintOf(step.desired) };
  const around = async (record: ObjectRecord, act: () => Promise<unknown>): Promise<void> => {
    await writeRecord(context, deployment, { ...record, fingerprint: null });
    await act();
    await writeRecord(context, deployment, record);
  };
  switch (step.kind) {
    case 'network': {
      const record: ObjectRecord<'network'> = { ...common, kind: step.kind, state: step.desired };
      await around(record, () => ensureNetwork(context, deployment, record.state, generation));
      return;
    }
    case 'policy': {
      const record: ObjectRecord<'policy'> = { ...common, kind: step.kind, state: step.desired };
      await around(record, () => updateRules(context, deployment.id));
      return;
    }
    case 'image': {
      const record: ObjectRecord<'image'> = { ...common, kind: step.kind, state: step.desired };
      await around(record, async () => {
        await attendantImage(context, signal);
        await ensureImage(context, record.state.kit, record.state.layers);
      });
      return;
    }
    case 'volume': {
      const record: ObjectRecord<'volume'> = { ...common, kind: step.kind, state: step.desired };
      const labels = labelsOf(context.home, deployment, { kind: step.kind, key, generation });
      await around(record, () => context.api.createVolume(objectName(deployment.id, key), labels));
      return;
    }
    case 'snapshot':
      throw new EngineError('VOLUME_UNUSABLE', `the driver docker takes no snapshots, such as ${key}`);
    case 'instance': {
      const record: ObjectRecord<'instance'> = { ...common, kind: step.kind, state: step.desired };
      const isReplaced = step.change === 'replace';
      await ensureInstance(context, { deployment, record, files: work.files, isReplaced, signal });
      return;
    }
    case 'endpoint': {
      const record: ObjectRecord<'endpoint'> = { ...common, kind: step.kind, state: step.desired };
      const { state } = record;
      if (isExit(state)) await ensureExit(context, deployment, { ...record, state }, signal);
      else await ensureDoor(context, deployment, { ...record, state }, signal);
      return;
    }
    default:
      step satisfies never;
  }
}

async function remove(context: DriverContext, step: Remove, work: StepContext): Promise<void> {
  const { deployment } = work;
  const { key } = step;
  switch (step.kind) {
    case 'network':
      await removeNetwork(context, deployment.id);
      break;
    case 'volume': {
      const record = recordOf(await readRecords(context, deployment.id), 'volume', key);
      if (record?.state.kind === 'data' && !step.deletesData) return;
      await context.api.removeVolume(objectName(deployment.id, key));
      break;
    }
    case 'instance':
      await removeInstance(context, deployment, key);
      return;
    case 'endpoint':
      {
        const record = recordOf(await readRecords(context, deployment.id), 'endpoint', key);
        if (record && isExitRecord(record)) await removeExit(context, deployment, key);
        else await removeDoor(context, deployment, key);
      }
      return;
    case 'image': // it is kept for the next deployment that runs it
    case 'policy':
    case 'snapshot':
      break;
    default:
      step satisfies never;
  }
  await removeRecord(context, deployment, step.kind, key);
  if (step.kind === 'policy') await updateRules(context, deployment.id);
}
