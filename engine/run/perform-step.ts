import { canonicalJson } from '../digest.ts';
import type { GuestFile } from '../model/guest-file.ts';
import type { Step } from '../model/step.ts';
import type { Recorded, StepWrite } from '../model/store.ts';
import type { RunContext } from './context.ts';
import type { Execution } from './execute.ts';
import { asEngineError, operationError, withoutSecrets } from './failure.ts';
import { secretValues } from './secret-values.ts';

type Prepared = { readonly files: readonly GuestFile[]; readonly secrets: readonly string[] };

/**
 * Carries one step out, between its two lines in the journal.
 *
 * From the first line on the inventory has the object, unsettled: whatever a kill leaves behind is known. A failure is
 * written too, without secrets.
 *
 * @throws EngineError what the driver threw; LEASE_LOST, DISK_FULL from the journal
 */
export async function performStep(context: RunContext, execution: Execution, step: Step): Promise<void> {
  const { driver, report, store } = context;
  const write = (change: Pick<StepWrite, 'state' | 'inventory' | 'result'>, what: string): Promise<void> =>
    store.writeStep(execution.lease, {
      ...change,
      operation: execution.operation,
      step: step.id,
      at: context.clock(),
      event: { kind: step.kind, key: step.key, what },
    });
  const tell = (state: 'started' | 'done' | 'failed'): void => {
    const { id, kind, key, change } = step;
    report({ type: 'step', deployment: execution.deployment.name, id, kind, key, change, state });
  };

  await write({ state: 'started', inventory: intention(step) }, `${step.change} started`);
  tell('started');
  let secrets: readonly string[] = [];
  let digest: string | undefined;
  try {
    const prepared = await prepare(context, execution, step);
    secrets = prepared.secrets;
    if (prepared.files.length > 0) {
      digest = context.secretBox.keyedDigest(execution.deployment.id, canonicalJson(prepared.files));
    }
    await driver.perform(step, {
      deployment: execution.deployment,
      files: prepared.files,
      signal: context.signal,
      report,
    });
  } catch (cause) {
    const error = withoutSecrets(asEngineError(cause), secrets);
    tell('failed');
    await write(
      { state: 'failed', inventory: null },
      `${step.change} failed: ${operationError(error).message}`,
    );
    throw error;
  }
  await write(
    { state: 'done', inventory: result(step), ...(digest !== undefined && { result: { files: digest } }) },
    `${step.change} done`,
  );
  tell('done');
}

async function prepare(context: RunContext, execution: Execution, step: Step): Promise<Prepared> {
  if (step.kind !== 'instance' || step.action === 'remove') return { files: [], secrets: [] };
  const { id } = execution.deployment;
  const values = secretValues(step.desired, await context.store.secrets(id), id, context.secretBox);
  const files = await context.renderFiles(step.desired, {
    deployment: id,
    generation: step.generation,
    secrets: values,
    signal: context.signal,
  });
  return { files, secrets: [...values.values()] };
}

function intention(step: Step): StepWrite['inventory'] {
  const state = step.action === 'ensure' ? step.desired : step.before;
  // found and not recorded: there is nothing to write down, and planning finds it again
  if (state === null) return null;
  return { set: recorded(step, state, false) };
}

function result(step: Step): StepWrite['inventory'] {
  if (step.action === 'remove') return { remove: { kind: step.kind, key: step.key } };
  return { set: recorded(step, step.desired, true) };
}

function recorded(step: Step, state: Recorded['state'], isSettled: boolean): Recorded {
  const { kind, key, generation } = step;
  // a step's states are of the step's own kind
  return { kind, key, state, generation, isSettled } as Recorded;
}
