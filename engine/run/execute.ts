import type { DeploymentIdentity } from '../drivers/driver.ts';
import { EngineError } from '../errors.ts';
import type { Plan, Step } from '../model/step.ts';
import type { Lease } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { asEngineError, interrupted } from './failure.ts';
import { performStep } from './perform-step.ts';
import { settle } from './settle.ts';

/** A planned operation that is to be carried out. */
export type Execution = {
  readonly lease: Lease;
  readonly operation: string;
  readonly deployment: DeploymentIdentity;
  readonly plan: Plan;
  /** `stop`: a failed step starts no new ones. `continue`: only those that wait for it are left out. */
  readonly onFailure: 'stop' | 'continue';
};

/**
 * Carries a plan out: what may run at once does, within bounds; every intention is written before the act, every result after.
 *
 * A request to stop reaches the running steps, starts no new ones, and returns when they have ended; so does the loss of
 * the lease or of the journal, after which nothing may be changed that nobody would know of.
 *
 * A step that is to wait for the health of others begins when they are well.
 *
 * @throws EngineError of `settle`; of the first failed step with `details.failed` {step: message}; OPERATION_INTERRUPTED; LEASE_LOST
 */
export async function execute(context: RunContext, execution: Execution): Promise<void> {
  const { plan, onFailure } = execution;
  const halt = new AbortController();
  const signal = AbortSignal.any([context.signal, halt.signal]);
  const waiting = new Map(plan.steps.map((step) => [step.id, step]));
  const done = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const failures = new Map<Step, EngineError>();

  const start = (step: Step): void => {
    waiting.delete(step.id);
    const act = whenHealthy({ ...context, signal }, execution, step)
      .then(() => performStep({ ...context, signal }, execution, step))
      .then(
        () => void done.add(step.id),
        (cause: unknown) => {
          const error = asEngineError(cause);
          failures.set(step, error);
          if (endsEverything(error)) halt.abort();
        },
      )
      .finally(() => running.delete(step.id));
    running.set(step.id, act);
  };

  for (;;) {
    const mayStart = !signal.aborted && (failures.size === 0 || onFailure === 'continue');
    // those that may have to wait for somebody's health come last, so that they hold up nobody who could start now
    const ready = [...waiting.values()].toSorted((a, b) => gatesOf(a).length - gatesOf(b).length);
    for (const step of mayStart ? ready : []) {
      if (running.size >= context.limits.parallelSteps) break;
      if (step.after.every((id) => done.has(id))) start(step);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (failures.size > 0) throw failureOf(execution, failures, context.signal);
  if (waiting.size > 0) throw interrupted(plan.deployment, true);
}

function gatesOf({ onceHealthy = [] }: Step): readonly string[] {
  return onceHealthy;
}

/** Waits for those who have to be healthy before a step; an undoing, which goes on past failures, waits for nobody. */
async function whenHealthy(context: RunContext, execution: Execution, step: Step): Promise<void> {
  const gates = gatesOf(step);
  if (gates.length === 0 || execution.onFailure === 'continue') return;
  const planned = execution.plan.steps.flatMap((one) =>
    one.kind === 'instance' && one.action === 'ensure' ? [[one.key, one.desired] as const] : [],
  );
  // some were started by an operation before this one
  const recorded = (await context.store.inventory(execution.deployment.id)).flatMap((one) =>
    one.kind === 'instance' ? [[one.key, one.state] as const] : [],
  );
  const instances = new Map([...recorded, ...planned].filter(([key]) => gates.includes(key)));
  await settle(context, { ...execution, instances });
}

// without the journal nothing may be changed: nobody could find out what was begun
function endsEverything(error: EngineError): boolean {
  return error.code === 'LEASE_LOST' || error.code === 'STATE_CORRUPT';
}

function failureOf(
  { plan }: Execution,
  failures: ReadonlyMap<Step, EngineError>,
  signal: AbortSignal,
): EngineError {
  const all = [...failures.values()];
  const lost = all.find(endsEverything);
  if (lost) return lost;
  // steps that were told to stop end with errors of their own
  if (signal.aborted) return interrupted(plan.deployment, true);
  const [[step, first] = []] = failures;
  if (!step || !first) return interrupted(plan.deployment, true);
  const failed = Object.fromEntries(
    [...failures].map(([{ kind, key }, error]) => [`${kind} ${key}`, error.message]),
  );
  return new EngineError(first.code, `${step.kind} ${step.key}: ${first.message}`, {
    hint: first.hint ?? 'Run the same command again to go on from here.',
    details: { ...first.details, failed },
    cause: first,
  });
}
