import type { Closure } from '../model/closure.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { DecisionBasis } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { decideUp, type UpRequest } from './decide-up.ts';
import { runOperation } from './operation.ts';
import { poolView } from './pool-view.ts';
import { newestVersions, sealedChanges } from './secret-values.ts';
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
    const secrets = sealedChanges(spec.blueprint, request.secrets, basis.secrets, id, secretBox);
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
