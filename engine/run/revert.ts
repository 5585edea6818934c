import { EngineError } from '../errors.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { Desired } from '../model/step.ts';
import type { Decision, DecisionBasis, PreviousVersion } from '../model/store.ts';
import { isSecretRef } from '../model/value.ts';
import { grown } from '../plan/grown.ts';
import { restoredTo } from '../plan/snapshots.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { copiesOf } from './decide-up.ts';
import { type Intent, intentOf, neverPlanned } from './intent.ts';
import { runOperation } from './operation.ts';
import { previousVersion, withSnapshots } from './previous-version.ts';
import { requireIsolation } from './require-isolation.ts';
import { newestVersions } from './secret-values.ts';
import { deploymentMissing, status } from './status.ts';

/** Asks for the version before. */
export type RevertRequest = {
  readonly owner: string;
  readonly name: string;
  /** `discard`: as they were before the upgrade; what was written since is lost. `keep`: as they are now. */
  readonly data?: 'discard' | 'keep';
};

/**
 * Brings a deployment back to the version that it had before, with what is recorded alone.
 *
 * The version that is left is remembered in its place, with its data, until the next change of version: the same request
 * once more leads there again.
 *
 * @returns the status when every instance is healthy
 * @throws EngineError DEPLOYMENT_MISSING; INPUT_REFUSED when no version before is known; DATA_UNDECIDED when there are data and
 *   it was not said what becomes of them; OPERATION_INTERRUPTED when something else is unfinished; as `converge`
 */
export async function revert(context: RunContext, request: RevertRequest): Promise<DeploymentStatus> {
  const { driver, pool, signal, clock } = context;
  const { owner, name } = request;
  const capabilities = await driver.capabilities(signal);
  requireIsolation(pool.name, capabilities);
  let wanted: readonly Desired[] = [];
  const decide = (basis: DecisionBasis): Decision => {
    const { current, inventory, unfinished } = basis;
    if (!current) throw deploymentMissing(name);
    const intent = intentOf(basis);
    const oldest = unfinished.findLast(({ operation }) => operation.plan !== null)?.operation;
    if (intent.kind !== 'up' || (oldest !== undefined && oldest.verb !== 'revert'))
      throw unfinishedFirst(name, intent);
    const { id, pool: place } = current;
    const common = { id, pool: place, secrets: [], givesUp: neverPlanned(unfinished) };
    if (oldest !== undefined) {
      wanted = intent.desired;
      return { ...common, spec: intent.spec };
    }
    const target = intent.spec.before;
    if (!target) throw nothingBefore(name);
    const before = previousVersion(basis, intent, capabilities, clock());
    const objects = versioned(grown(target.objects, inventory), newestVersions(basis.secrets));
    wanted = withSnapshots(withData(objects, basis, target, request), before);
    return { ...common, spec: { ...target.spec, ...copiesOf(intent.spec), before } };
  };
  await runOperation(context, { owner, name, verb: 'revert', decide }, async (begun, carry) => {
    await converge(context, begun, carry, wanted);
    return { spec: begun.deployment.spec, answer: undefined };
  });
  return await status(context, owner, name);
}

/** Gives objects the data that were asked for. @throws EngineError DATA_UNDECIDED */
function withData(
  objects: readonly Desired[],
  { inventory }: DecisionBasis,
  { snapshots }: PreviousVersion,
  { name, data }: RevertRequest,
): readonly Desired[] {
  const keys = new Set(snapshots.map(({ key }) => key));
  const there = inventory.filter(({ kind, key }) => kind === 'snapshot' && keys.has(key));
  const asNow = objects.map((one) => restoredAsNow(one, inventory));
  if (there.length === 0 || data === 'keep') return asNow;
  if (data === 'discard') return restoredTo(asNow, there);
  throw new EngineError(
    'DATA_UNDECIDED',
    `it was not said what becomes of what was written to ${name} since`,
    {
      hint: `Add --keep-data, or --discard-changes ${name} to have the data as they were before the upgrade.`,
      details: { deployment: name },
    },
  );
}

function restoredAsNow(one: Desired, inventory: DecisionBasis['inventory']): Desired {
  if (one.kind !== 'volume') return one;
  const { restored: _, ...state } = one.state;
  const now = inventory.find(({ kind, key }) => kind === 'volume' && key === one.key);
  const restored = now?.kind === 'volume' ? now.state.restored : undefined;
  return { ...one, state: { ...state, ...(restored !== undefined && { restored }) } };
}

// secrets are no part of a version: old values may be gone, and whoever holds the new ones would be locked out
function versioned(objects: readonly Desired[], newest: ReadonlyMap<string, number>): readonly Desired[] {
  return objects.map((one) => {
    if (one.kind !== 'instance') return one;
    const properties = Object.entries(one.state.scope.properties).map(([key, value]) => {
      if (!isSecretRef(value)) return [key, value] as const;
      const version = newest.get(value.secret) ?? 1;
      return [key, version === 1 ? { secret: value.secret } : { secret: value.secret, version }] as const;
    });
    const scope = { ...one.state.scope, properties: Object.fromEntries(properties) };
    return { ...one, state: { ...one.state, scope } };
  });
}

/** Makes the error for a deployment that is not as a change of version needs it. */
export function unfinishedFirst(name: string, { kind }: Intent): EngineError {
  if (kind === 'kept')
    return new EngineError('INPUT_REFUSED', `${name} is stopped, and only its data are kept`, {
      hint: 'Bring it up first, with `up` and its source.',
    });
  return new EngineError('OPERATION_INTERRUPTED', `${name} has an unfinished operation`, {
    hint: `Let it go on with: sheaf up --as ${name}; or undo it: sheaf up --as ${name} --rollback`,
    details: { deployment: name },
  });
}

/** Makes the error for a deployment of which no version before is known. */
export function nothingBefore(name: string): EngineError {
  return new EngineError('INPUT_REFUSED', `of ${name} no version before this one is known`, {
    hint: 'A version can be gone back to until the next upgrade, and where there was one.',
    details: { deployment: name },
  });
}
