import { EngineError } from '../errors.ts';
import type { DeploymentState } from '../model/status.ts';
import type { DecisionBasis, DeploymentRecord } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { down } from './down.ts';
import { type Intent, intentOf, neverPlanned } from './intent.ts';
import { runOperation } from './operation.ts';
import { requireIsolation } from './require-isolation.ts';
import { rollBack } from './roll-back.ts';
import { deploymentMissing, status } from './status.ts';

/** What a deployment is when it was brought back; `absent`: its removal was finished. */
export type BroughtBack = DeploymentState | 'absent';

/**
 * Brings a deployment to what is recorded of it, without its source: what was active comes up as it was, with the same
 * images, addresses and secrets; an operation that was cut off goes on; what was stopped on request stays so.
 *
 * @returns the state that was seen then
 * @throws EngineError of `up`, `down` and `rollBack`; DEPLOYMENT_MISSING; OPERATION_INTERRUPTED for one whose records do
 *   not say enough
 */
export async function bringBack(
  context: RunContext,
  request: { readonly owner: string; readonly name: string },
): Promise<BroughtBack> {
  const { store } = context;
  const { owner, name } = request;
  const current = await store.deployment(owner, name);
  if (!current) throw deploymentMissing(name);
  const intent = intentOf(await basisOf(context, current));
  switch (intent.kind) {
    case 'up':
      await upAsRecorded(context, request);
      break;
    case 'down':
      await down(context, { ...request, data: intent.data });
      break;
    case 'rollback':
      await rollBack(context, request);
      break;
    case 'kept':
      break;
    case 'undecided':
    case 'unplanned':
      throw notRecorded(name, intent);
    default:
      intent satisfies never;
  }
  if (!(await store.deployment(owner, name))) return 'absent';
  return (await status(context, owner, name)).state;
}

async function basisOf({ store }: RunContext, current: DeploymentRecord) {
  return {
    current,
    unfinished: await store.unfinished(current.id),
    inventory: await store.inventory(current.id),
  };
}

async function upAsRecorded(
  context: RunContext,
  { owner, name }: { readonly owner: string; readonly name: string },
): Promise<void> {
  requireIsolation(context.pool.name, await context.driver.capabilities(context.signal));
  let intent: Intent | undefined;
  const decide = (basis: DecisionBasis) => {
    if (!basis.current) throw deploymentMissing(name);
    // asked again where nobody can change it any more
    intent = intentOf(basis);
    if (intent.kind !== 'up') throw notRecorded(name, intent);
    const { id, pool } = basis.current;
    return { id, pool, spec: intent.spec, secrets: [], givesUp: neverPlanned(basis.unfinished) };
  };
  await runOperation(context, { owner, name, verb: 'up', decide }, async (begun, carry) => {
    await converge(context, begun, carry, intent?.kind === 'up' ? intent.desired : []);
    return { spec: begun.deployment.spec, answer: undefined };
  });
}

function notRecorded(name: string, { kind }: Intent): EngineError {
  if (kind === 'undecided')
    return new EngineError(
      'OPERATION_INTERRUPTED',
      `the removal of ${name} with its data was stopped by hand`,
      {
        hint: `Go on with: sheaf down ${name} --delete-data ${name}, or undo it with \`up\` and --rollback.`,
      },
    );
  return new EngineError(
    'OPERATION_INTERRUPTED',
    `${name} was stopped before anything of it was made, so its records do not say what it shall be`,
    { hint: `Run \`up\` with its source again, or: sheaf down ${name} --keep-data` },
  );
}
