import type { Closure } from '../model/closure.ts';
import type { Observation } from '../model/observation.ts';
import type { PlanReport } from '../model/status.ts';
import type { Change, Plan } from '../model/step.ts';
import type { DecisionBasis } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import { diff } from '../plan/diff.ts';
import type { RunContext } from './context.ts';
import { decideUp, type UpRequest } from './decide-up.ts';
import { identityOf } from './identity.ts';
import { poolView } from './pool-view.ts';
import { previousVersion, withSnapshots } from './previous-version.ts';
import { newestVersions, secretChanges } from './secret-values.ts';
import { decideUpgrade } from './upgrade.ts';

/**
 * Tells what `up` would do, or `upgrade` where another version is meant, and why. Changes nothing.
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
  const view = await poolView(context, request);
  const upgrading = request.isUpgrade ? decideUpgrade(basis, request, view) : undefined;
  const { spec, placement } = upgrading ?? decideUp(basis, request, view, id);
  const before =
    upgrading && previousVersion(basis, upgrading.intent, await driver.capabilities(signal), context.clock());
  const changes = secretChanges(spec.blueprint, request.secrets, stored, id, context.secretBox);
  const secretVersions = new Map([
    ...newestVersions(stored),
    ...changes.map(({ name, version }) => [name, version] as const),
  ]);
  const observation: Observation = current
    ? await driver.observe(identityOf(current), signal)
    : { objects: [] };
  const objects = desired({ ...spec, name: request.name, closure, secretVersions, recorded: inventory });
  const plan = diff({
    deployment: request.name,
    generation: (current?.generation ?? 0) + 1,
    blueprint: spec.digest,
    desired: before ? withSnapshots(objects, before) : objects,
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
