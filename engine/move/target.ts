import type { DecisionBasis, DeploymentRecord, SealedSecret } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { decideUp, type PoolView, type UpRequest } from '../run/decide-up.ts';
import { poolView } from '../run/pool-view.ts';
import { asDescribed } from '../run/scaled.ts';
import { newestVersions } from '../run/secret-values.ts';
import type { SecretBox } from '../store/secrets.ts';
import type { DecideFirst } from './sides.ts';

/** Asks another pool for what a copy of a deployment would need to know of it. @throws EngineError ISOLATION_UNAVAILABLE */
export async function targetView(target: RunContext, source: DeploymentRecord): Promise<PoolView> {
  return await poolView(target, requestOf(source));
}

/**
 * Decides what the copy of a deployment will hold on another pool: the same application with the same numbers, inputs and
 * places to listen, on other servers and addresses. Pure.
 *
 * @throws EngineError PLACEMENT_IMPOSSIBLE, POOL_EMPTY, ADDRESS_TAKEN
 */
export function decideTarget(
  source: DeploymentRecord,
  others: readonly DeploymentRecord[],
  view: PoolView,
  id: string,
) {
  const basis: DecisionBasis = { current: undefined, unfinished: [], inventory: [], secrets: [], others };
  return decideUp(basis, requestOf(source), view, id);
}

/** Makes the first decision about the target of a move. @param secrets - of the source */
export function firstDecision(
  source: DeploymentRecord,
  secrets: readonly SealedSecret[],
  id: string,
): DecideFirst {
  return async (context) => {
    const view = await targetView(context, source);
    return ({ others }) => ({
      id,
      pool: context.pool.name,
      spec: { ...decideTarget(source, others, view, id).spec, inputs: source.spec.inputs },
      secrets: resealed(source.id, id, secrets, context.secretBox),
    });
  };
}

// same values and versions, so that the application keeps its passwords and everything that refers to them stays as it is
function resealed(
  source: string,
  target: string,
  secrets: readonly SealedSecret[],
  box: SecretBox,
): readonly SealedSecret[] {
  const newest = newestVersions(secrets);
  return secrets
    .filter(({ name, version }) => newest.get(name) === version)
    .map(({ name, version, sealed }) => ({
      name,
      version,
      sealed: box.seal({ deployment: target, name }, box.open({ deployment: source, name }, sealed)),
    }));
}

function requestOf({ owner, name, spec }: DeploymentRecord): UpRequest {
  const { set, scale } = spec.inputs;
  return {
    owner,
    name,
    blueprint: asDescribed(spec.blueprint, scale ?? {}),
    // the world finds it where it found it before
    inputs: { set, expose: spec.allocation.endpoints, ...(scale && { scale }) },
    secrets: new Map(),
  };
}
