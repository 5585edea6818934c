import { EngineError } from '../errors.ts';
import type { DecisionBasis } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { converge } from './converge.ts';
import { type Intent, intentOf, neverPlanned } from './intent.ts';
import { runOperation } from './operation.ts';
import { requireIsolation } from './require-isolation.ts';
import { deploymentMissing } from './status.ts';

/**
 * Brings a deployment that shall be up to what is recorded of it, without its source.
 *
 * @param unwell - instances that are replaced because they are not healthy
 * @throws EngineError of `converge`; DEPLOYMENT_MISSING; OPERATION_INTERRUPTED when it shall not be up, or its records do
 *   not say how
 */
export async function convergeAsRecorded(
  context: RunContext,
  { owner, name }: { readonly owner: string; readonly name: string },
  verb: 'up' | 'repair',
  unwell?: ReadonlySet<string>,
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
  await runOperation(context, { owner, name, verb, decide }, async (begun, carry) => {
    await converge(context, begun, carry, intent?.kind === 'up' ? intent.desired : [], unwell);
    return { spec: begun.deployment.spec, answer: undefined };
  });
}

/** Makes the error for a deployment of which nobody can say how it shall be up. */
export function notRecorded(name: string, { kind }: Intent): EngineError {
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
