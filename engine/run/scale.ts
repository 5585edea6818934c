import { EngineError } from '../errors.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { Decision, DecisionBasis, DeploymentRecord, JournaledOperation } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { decideUp, type PoolView, type UpRequest } from './decide-up.ts';
import { intentOf, neverPlanned } from './intent.ts';
import { runOperation } from './operation.ts';
import { poolView } from './pool-view.ts';
import { recordedParts } from './recorded-parts.ts';
import { asDescribed, rescaled } from './scaled.ts';
import { newestVersions } from './secret-values.ts';
import { deploymentMissing, status } from './status.ts';

/** Asks for other numbers of replicas. */
export type ScaleRequest = {
  readonly owner: string;
  readonly name: string;
  /** By appliance path; what is not named stays as it is. */
  readonly replicas: Readonly<Record<string, number>>;
};

/**
 * Gives appliances of a deployment other numbers of replicas, from what is recorded alone.
 *
 * The numbers are kept by later `up`s until the description says another one. Who leads to a new replica learns of it
 * when it is healthy, and of one that goes before it goes. Data volumes of replicas that go stay, and are theirs again
 * when they come back.
 *
 * @returns the status when every instance is healthy
 * @throws EngineError DEPLOYMENT_MISSING, INPUT_REFUSED for numbers that cannot be; OPERATION_INTERRUPTED when something
 *   else is unfinished; as `up`
 */
export async function scale(context: RunContext, request: ScaleRequest): Promise<DeploymentStatus> {
  const { store } = context;
  const { owner, name } = request;
  const known = await store.deployment(owner, name);
  if (!known) throw deploymentMissing(name);
  const view = await poolView(context, upRequestOf(known, request));
  const decide = (basis: DecisionBasis): Decision => decideScale(basis, request, view);
  await runOperation(context, { owner, name, verb: 'scale', decide }, async (begun, carry) => {
    const { id, spec } = begun.deployment;
    const recorded = await store.inventory(id);
    const parts = recordedParts(spec.blueprint, recorded, name);
    const secretVersions = newestVersions(await store.secrets(id));
    await converge(context, begun, carry, desired({ ...spec, ...parts, name, secretVersions, recorded }));
    return { spec, answer: undefined };
  });
  return await status(context, owner, name);
}

function decideScale(basis: DecisionBasis, request: ScaleRequest, view: PoolView): Decision {
  const { unfinished } = basis;
  const { name } = request;
  if (!basis.current) throw deploymentMissing(name);
  // only of what was carried out whole it is recorded what runs
  const other = unfinished.find(({ operation }) => operation.verb !== 'scale' && operation.plan !== null);
  const intent = intentOf(basis);
  if (other || (intent.kind !== 'up' && intent.kind !== 'kept')) throw unfinishedFirst(name, other);
  if (intent.kind === 'kept') {
    throw new EngineError('INPUT_REFUSED', `${name} is stopped, and only its data are kept`, {
      hint: 'Bring it up first, with `up` and its source.',
    });
  }
  const current = { ...basis.current, spec: intent.spec };
  const { spec } = decideUp({ ...basis, current }, upRequestOf(current, request), view, current.id);
  return { id: current.id, pool: current.pool, spec, secrets: [], givesUp: neverPlanned(unfinished) };
}

function unfinishedFirst(name: string, other: JournaledOperation | undefined): EngineError {
  return new EngineError(
    'OPERATION_INTERRUPTED',
    `${name} has an unfinished ${other?.operation.verb ?? 'operation'}`,
    {
      hint: `Let it go on with: sheaf up --as ${name}; or undo it: sheaf up --as ${name} --rollback`,
      details: { deployment: name },
    },
  );
}

function upRequestOf({ spec }: DeploymentRecord, { owner, name, replicas }: ScaleRequest): UpRequest {
  const before = spec.inputs.scale ?? {};
  const blueprint = asDescribed(spec.blueprint, before);
  const scale = rescaled(blueprint, before, replicas);
  return { owner, name, blueprint, inputs: { ...spec.inputs, scale }, secrets: new Map() };
}
