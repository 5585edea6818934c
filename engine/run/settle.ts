import { setTimeout as pause } from 'node:timers/promises';
import type { DeploymentIdentity } from '../drivers/driver.ts';
import { EngineError } from '../errors.ts';
import type { ObservedInstance } from '../model/observation.ts';
import type { InstanceState } from '../model/step.ts';
import type { Lease } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { interrupted } from './failure.ts';

/** Instances that are to become healthy. */
export type Settling = {
  readonly lease: Lease;
  readonly operation: string;
  readonly deployment: DeploymentIdentity;
  /** By name. */
  readonly instances: ReadonlyMap<string, InstanceState>;
};

/**
 * Watches until every instance is healthy, and reports and records each change that is seen.
 *
 * An instance whose appliance declares no health counts when it runs. The time allowed counts from the last progress
 * of any instance, so a long chain of waiting ones is not cut short; progress is what was not seen before, so one
 * that starts and ends in turn does not go on for ever.
 *
 * @throws EngineError INSTANCE_FAILED as soon as one has ended or failed, INSTANCE_UNHEALTHY when time is up; both
 *   name the one that the others wait for, with its last message. OPERATION_INTERRUPTED
 */
export async function settle(context: RunContext, settling: Settling): Promise<void> {
  const { deployment, instances } = settling;
  const seen = new Map<string, string>();
  const stages = new Set<string>();
  let progressAt = context.clock();
  for (;;) {
    const observation = await context.driver.observe(deployment, context.signal);
    const found = new Map<string, ObservedInstance>();
    for (const object of observation.objects) if (object.kind === 'instance') found.set(object.key, object);
    const now = [...instances.keys()].map((name) => found.get(name) ?? absent(name));
    const changed = now.filter((instance) => seen.get(instance.key) !== looks(instance));
    for (const instance of changed) seen.set(instance.key, looks(instance));
    const before = stages.size;
    for (const { key, condition, healthy } of now) stages.add(`${key} ${condition} ${healthy}`);
    if (stages.size > before) progressAt = context.clock();
    await tell(context, settling, changed);

    const over = now.find((instance) => isOver(instance));
    if (over) throw failed(deployment.name, over);
    const waiting = now.filter((instance) => !isAsWanted(instance, instances.get(instance.key)));
    if (waiting.length === 0) return;
    const waitedMs = context.clock() - progressAt;
    if (waitedMs >= context.limits.settleTimeoutMs) throw unhealthy(deployment.name, waiting, waitedMs);
    await rest(context, deployment.name);
  }
}

/** Tells whether an instance does its work, as far as anybody can say. */
export function isWell(instance: ObservedInstance, hasHealth: boolean): boolean {
  if (instance.condition !== 'running') return false;
  return hasHealth ? instance.healthy === true : instance.healthy !== false;
}

function isAsWanted(instance: ObservedInstance, state: InstanceState | undefined): boolean {
  if (state?.isHeld) return instance.condition === 'held';
  return isWell(instance, state?.health !== undefined);
}

async function rest(context: RunContext, name: string): Promise<void> {
  try {
    await pause(context.limits.settlePauseMs, undefined, { signal: context.signal });
  } catch {
    throw interrupted(name, true);
  }
}

async function tell(
  context: RunContext,
  { lease, operation, deployment }: Settling,
  changed: readonly ObservedInstance[],
): Promise<void> {
  if (changed.length === 0) return;
  for (const { key, condition, healthy, message } of changed) {
    context.report({
      type: 'instance',
      deployment: deployment.name,
      instance: key,
      condition,
      healthy,
      message,
    });
  }
  const at = context.clock();
  await context.store.writeEvents(
    lease,
    changed.map((instance) => ({
      at,
      operation,
      kind: 'instance',
      key: instance.key,
      what: looks(instance),
    })),
  );
}

function looks({ condition, healthy, message }: ObservedInstance): string {
  const health = healthy === null ? '' : healthy ? ', healthy' : ', unhealthy';
  return `${condition}${health}${message === '' ? '' : `: ${message}`}`;
}

function isOver({ condition }: ObservedInstance): boolean {
  return condition === 'failed' || condition === 'stopped' || condition === 'absent';
}

function absent(key: string): ObservedInstance {
  return {
    kind: 'instance',
    key,
    generation: 0,
    fingerprint: null,
    condition: 'absent',
    healthy: null,
    message: 'it is gone',
  };
}

function failed(name: string, instance: ObservedInstance): EngineError {
  const { key, condition, message } = instance;
  return new EngineError('INSTANCE_FAILED', `${key} is ${condition}${message === '' ? '' : `: ${message}`}`, {
    hint: `Read its log with: sheaf logs ${name} ${key}`,
    details: { instance: key, condition },
  });
}

function unhealthy(name: string, waiting: readonly ObservedInstance[], waitedMs: number): EngineError {
  // one that waits for another is not to blame
  const culprit = waiting.find((instance) => instance.condition !== 'waiting') ?? waiting[0];
  const key = culprit?.key ?? '';
  const message = culprit?.message ? `: ${culprit.message}` : '';
  const seconds = Math.round(waitedMs / 1000);
  return new EngineError(
    'INSTANCE_UNHEALTHY',
    `${key} is not healthy after ${seconds} s without progress${message}`,
    {
      hint: `Read its log with: sheaf logs ${name} ${key}`,
      details: { instance: key, waiting: waiting.map((instance) => instance.key) },
    },
  );
}
