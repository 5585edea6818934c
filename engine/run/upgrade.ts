import { EngineError, type ErrorCode } from '../errors.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { Decision, DecisionBasis } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { decideUp, type PoolView, type UpRequest } from './decide-up.ts';
import { asEngineError } from './failure.ts';
import { intentOf, neverPlanned } from './intent.ts';
import { runOperation } from './operation.ts';
import { poolView } from './pool-view.ts';
import { previousVersion, withSnapshots } from './previous-version.ts';
import { rollBack } from './roll-back.ts';
import { newestVersions, sealedChanges } from './secret-values.ts';
import { deploymentMissing, status } from './status.ts';
import type { MakeClosure } from './up.ts';

/** Asks for another version of what is deployed. */
export type UpgradeRequest = UpRequest;

/**
 * Brings a deployment to another version: freezes its data, then changes it, replicas one at a time, each when the one
 * before is healthy.
 *
 * A version that does not come up as it has to is left again: the deployment goes back by itself to what it was, with
 * the data as they were wherever the new version had touched them. After a kill the same request goes on.
 *
 * @returns the status when every instance is healthy
 * @throws EngineError UPGRADE_FAILED when it went back by itself; DEPLOYMENT_MISSING; INPUT_REFUSED for the version that it
 *   has; OPERATION_INTERRUPTED when something else is unfinished; as `up`
 */
export async function upgrade(
  context: RunContext,
  request: UpgradeRequest,
  makeClosure: MakeClosure,
): Promise<DeploymentStatus> {
  const { store, driver, signal, clock } = context;
  const { owner, name } = request;
  const view = await poolView(context, request);
  const capabilities = await driver.capabilities(signal);
  const decide = (basis: DecisionBasis): Decision => {
    const { spec, current, intent } = decideUpgrade(basis, request, view);
    const before = previousVersion(basis, intent, capabilities, clock());
    return {
      id: current.id,
      pool: current.pool,
      spec: { ...spec, before },
      secrets: sealedChanges(spec.blueprint, request.secrets, basis.secrets, current.id, context.secretBox),
      givesUp: neverPlanned(basis.unfinished),
    };
  };
  let hasPlan = false;
  try {
    await runOperation(context, { owner, name, verb: 'upgrade', decide }, async (begun, { planned }) => {
      const { deployment } = begun;
      const { id, spec } = deployment;
      const closure = await makeClosure(signal);
      const secretVersions = newestVersions(await store.secrets(id));
      const recorded = await store.inventory(id);
      const objects = desired({ ...spec, name, closure, secretVersions, recorded });
      const carry = {
        planned: async (plan: Parameters<typeof planned>[0]) => {
          await planned(plan);
          hasPlan = true;
        },
      };
      await converge(context, begun, carry, spec.before ? withSnapshots(objects, spec.before) : objects);
      return { spec, answer: undefined };
    });
  } catch (cause) {
    const error = asEngineError(cause);
    if (!hasPlan || staysUnfinished.has(error.code)) throw error;
    throw await goneBack(context, request, error);
  }
  return await status(context, owner, name);
}

/** Decides what `upgrade` leads to. Pure. @throws EngineError as {@link upgrade} */
export function decideUpgrade(basis: DecisionBasis, request: UpgradeRequest, view: PoolView) {
  const { current, unfinished } = basis;
  const { name } = request;
  if (!current) throw deploymentMissing(name);
  const intent = intentOf(basis);
  const oldest = unfinished.findLast(({ operation }) => operation.plan !== null)?.operation;
  if (intent.kind === 'kept') {
    throw new EngineError('INPUT_REFUSED', `${name} is stopped, and only its data are kept`, {
      hint: 'Bring it up first, with `up` and its source.',
    });
  }
  if (intent.kind !== 'up' || (oldest !== undefined && oldest.verb !== 'upgrade'))
    throw new EngineError(
      'OPERATION_INTERRUPTED',
      `${name} has an unfinished ${oldest?.verb ?? unfinished[0]?.operation.verb ?? 'operation'}`,
      {
        hint: `Let it go on with: sheaf up --as ${name}; or undo it: sheaf up --as ${name} --rollback`,
        details: { deployment: name },
      },
    );
  const { version } = request.blueprint.application;
  if (oldest === undefined && intent.spec.blueprint.application.version === version)
    throw new EngineError('INPUT_REFUSED', `${name} has version ${version} already`, {
      hint: `Bring it to what the source says with: sheaf up SOURCE --as ${name}`,
    });
  const known = { ...current, spec: intent.spec };
  const changed = { ...request, isUpgrade: true as const };
  return { ...decideUp({ ...basis, current: known }, changed, view, current.id), current, intent };
}

// stopped by hand, taken over by somebody, or without a journal: nothing is decided behind anybody's back
const staysUnfinished: ReadonlySet<ErrorCode> = new Set([
  'OPERATION_INTERRUPTED',
  'LEASE_LOST',
  'STATE_CORRUPT',
]);

async function goneBack(
  context: RunContext,
  { owner, name, blueprint }: UpgradeRequest,
  cause: EngineError,
): Promise<EngineError> {
  const { version } = blueprint.application;
  try {
    await rollBack(context, { owner, name, settles: true });
  } catch (second) {
    const { code, message, details } = asEngineError(second);
    const first = code === 'DISK_FULL' ? 'Free room, then' : 'Mend that, then';
    return new EngineError(
      code,
      `${version} of ${name} failed: ${cause.message}; and it could not go back: ${message}`,
      {
        hint: `${first}: sheaf up --as ${name} --rollback`,
        details,
        cause: second,
      },
    );
  }
  const now = await context.store.deployment(owner, name);
  const old = now?.spec.blueprint.application.version ?? '';
  return new EngineError('UPGRADE_FAILED', `${name} is ${old} again: ${version} failed: ${cause.message}`, {
    ...(cause.hint !== undefined && { hint: cause.hint }),
    details: { ...cause.details, deployment: name, version, is: old, code: cause.code },
    cause,
  });
}
