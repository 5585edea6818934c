import type { Closure } from '../model/closure.ts';
import type { Observation } from '../model/observation.ts';
import type { DeploymentStatus, PlanReport } from '../model/status.ts';
import type { Change, Plan } from '../model/step.ts';
import type { DecisionBasis } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import { diff } from '../plan/diff.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { decideUp, type UpRequest } from './decide-up.ts';
import { identityOf } from './identity.ts';
import { runOperation } from './operation.ts';
import { poolView } from './pool-view.ts';
import { newestVersions, secretChanges } from './secret-values.ts';
import { status } from './status.ts';

/** Makes what is to be run, or finds it made already. */
export type MakeClosure = (signal: AbortSignal) => Promise<Closure>;

/**
 * Brings a deployment up: makes it, goes on with what was interrupted, or repairs what has drifted; all three are
 * one comparison of what shall be with what is.
 *
 * The name, the addresses and the servers' room are reserved first, in one transaction; then `makeClosure` may take
 * its time. Until the plan is recorded, a failure leaves everything as it was.
 *
 * @returns the status when every instance is healthy
 * @throws EngineError see {@link decideUp}, `execute` and `settle`; ISOLATION_UNAVAILABLE, DEPLOYMENT_BUSY
 */
export async function up(
  context: RunContext,
  request: UpRequest,
  makeClosure: MakeClosure,
): Promise<DeploymentStatus> {
  const { secretBox, signal } = context;
  const view = await poolView(context, request);
  const newId = context.newId();
  const decide = (basis: DecisionBasis) => {
    const id = basis.current?.id ?? newId;
    const { spec } = decideUp(basis, request, view, id);
    const changes = secretChanges(spec.blueprint, request.secrets, basis.secrets, id, secretBox);
    const secrets = changes.map(({ name, version, value }) => ({
      name,
      version,
      sealed: secretBox.seal({ deployment: id, name }, value()),
    }));
    return { id, pool: context.pool.name, spec, secrets };
  };
  await runOperation(
    context,
    { owner: request.owner, name: request.name, verb: 'up', decide },
    async (begun, carry) => {
      const { deployment } = begun;
      const closure = await makeClosure(signal);
      const secretVersions = newestVersions(await context.store.secrets(deployment.id));
      const recorded = await context.store.inventory(deployment.id);
      const { name, spec } = deployment;
      await converge(context, begun, carry, desired({ ...spec, name, closure, secretVersions, recorded }));
      return { spec, answer: undefined };
    },
  );
  return await status(context, request.owner, request.name);
}

/**
 * Tells what `up` would do, and why. Changes nothing.
 *
 * @param closure - where something is not built yet, any descriptor may stand in its place
 * @param builds - what would be built first; passed through to the report
 */
export async function planUp(
  context: RunContext,
  request: UpRequest,
  closure: Closure,
  builds: readonly string[],
): Promise<PlanReport> {
  const { store, driver, signal } = context;
  const current = await store.deployment(request.owner, request.name);
  const inventory = current ? await store.inventory(current.id) : [];
  const stored = current ? await store.secrets(current.id) : [];
  const all = await store.deployments();
  const basis: DecisionBasis = {
    current,
    unfinished: current ? await store.unfinished(current.id) : [],
    inventory,
    secrets: stored,
    others: all.filter((one) => one.id !== current?.id),
  };
  const id = current?.id ?? context.newId();
  const { spec, placement } = decideUp(basis, request, await poolView(context, request), id);
  const changes = secretChanges(spec.blueprint, request.secrets, stored, id, context.secretBox);
  const secretVersions = new Map([
    ...newestVersions(stored),
    ...changes.map(({ name, version }) => [name, version] as const),
  ]);
  const observation: Observation = current
    ? await driver.observe(identityOf(current), signal)
    : { objects: [] };
  const plan = diff({
    deployment: request.name,
    generation: (current?.generation ?? 0) + 1,
    blueprint: spec.digest,
    desired: desired({ ...spec, name: request.name, closure, secretVersions, recorded: inventory }),
    recorded: inventory,
    observation,
    mayDelete: () => false,
  });
  return {
    name: request.name,
    plan,
    summary: summaryOf(plan),
    placement,
    builds,
    restarts: restartsOf(plan),
  };
}

/** Counts a plan's steps by what they do. */
function summaryOf(plan: Plan): Readonly<Record<Change, number>> {
  const summary = { create: 0, update: 0, replace: 0, remove: 0 };
  for (const step of plan.steps) summary[step.change]++;
  return summary;
}

function restartsOf(plan: Plan): readonly string[] {
  const instances = plan.steps.filter((step) => step.kind === 'instance');
  const removed = new Set(instances.filter((step) => step.action === 'remove').map((step) => step.key));
  return instances
    .filter((step) => step.change === 'replace' || (step.action === 'ensure' && removed.has(step.key)))
    .map((step) => step.key);
}
