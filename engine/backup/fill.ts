import { EngineError } from '../errors.ts';
import type { Desired } from '../model/step.ts';
import type { Decision, DecisionBasis, DeploymentRecord, DeploymentSpec, Filling } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import type { RunContext } from '../run/context.ts';
import { converge } from '../run/converge.ts';
import { decideUp, type UpRequest } from '../run/decide-up.ts';
import { runOperation } from '../run/operation.ts';
import { poolView } from '../run/pool-view.ts';
import type { RecordedParts } from '../run/recorded-parts.ts';
import { newestVersions } from '../run/secret-values.ts';
import { deploymentMissing } from '../run/status.ts';

/** A deployment that is to be made with data of another one. */
export type NewDeployment = {
  readonly request: Omit<UpRequest, 'secrets'>;
  /** What it runs. */
  readonly parts: RecordedParts;
  /** Values that it has from the start; the data may depend on them. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly filling: Filling;
};

/**
 * Makes a deployment whose services do not run yet, lets its volumes be filled, and lets it run.
 *
 * How far it came is in its record: after a kill the same call goes on, and nobody else can start it half filled.
 *
 * @throws EngineError DEPLOYMENT_EXISTS when the name belongs to something else; as `up`, and as `fill`
 */
export async function makeFilled(
  context: RunContext,
  made: NewDeployment,
  fill: (record: DeploymentRecord) => Promise<void>,
): Promise<void> {
  const { owner, name } = made.request;
  const known = await context.store.deployment(owner, name);
  if (known && !isSameFilling(known.spec.filling, made.filling)) throw exists(known);
  // once its services may have run, what they wrote counts
  if (known?.spec.lifecycle !== 'active') await makeHeld(context, made, known === undefined, fill);
  await bring(context, made, 'release', ({ current }) => {
    if (!current) throw deploymentMissing(name);
    return same(current, { ...current.spec, lifecycle: 'active' });
  });
}

async function makeHeld(
  context: RunContext,
  made: NewDeployment,
  isNew: boolean,
  fill: (record: DeploymentRecord) => Promise<void>,
): Promise<void> {
  const { owner, name } = made.request;
  const first = isNew ? await decideFirst(context, made) : undefined;
  await bring(context, made, 'hold', (basis) => {
    const { current } = basis;
    if (current && !isSameFilling(current.spec.filling, made.filling)) throw exists(current);
    if (current) return same(current, current.spec);
    if (first === undefined) throw deploymentMissing(name);
    return first(basis);
  });
  const record = await context.store.deployment(owner, name);
  if (!record) throw deploymentMissing(name);
  await fill(record);
}

async function decideFirst(
  context: RunContext,
  { request, secrets, filling }: NewDeployment,
): Promise<(basis: DecisionBasis) => Decision> {
  const wanted: UpRequest = { ...request, secrets: new Map() };
  const view = await poolView(context, wanted);
  const id = context.newId();
  const sealed = [...secrets].map(([name, value]) => ({
    name,
    version: 1,
    sealed: context.secretBox.seal({ deployment: id, name }, value),
  }));
  return (basis) => {
    const { spec } = decideUp(basis, wanted, view, id);
    return { id, pool: context.pool.name, spec: { ...spec, lifecycle: 'held', filling }, secrets: sealed };
  };
}

async function bring(
  context: RunContext,
  { request: { owner, name }, parts }: NewDeployment,
  verb: 'hold' | 'release',
  decide: (basis: DecisionBasis) => Decision,
): Promise<void> {
  await runOperation(context, { owner, name, verb, decide }, async (begun, carry) => {
    const { id, spec } = begun.deployment;
    const secretVersions = newestVersions(await context.store.secrets(id));
    const recorded = await context.store.inventory(id);
    const own = { ...parts, blueprint: { ...spec.blueprint, appliances: parts.blueprint.appliances } };
    const live = desired({ ...spec, ...own, name, secretVersions, recorded });
    await converge(context, begun, carry, verb === 'hold' ? live.flatMap(held) : live);
    const { filling: _filling, ...whole } = spec;
    return { spec: verb === 'release' ? whole : spec, answer: undefined };
  });
}

function held(one: Desired): readonly Desired[] {
  if (one.kind === 'endpoint') return [];
  return one.kind === 'instance' ? [{ ...one, state: { ...one.state, isHeld: true } }] : [one];
}

function same({ id, pool }: DeploymentRecord, spec: DeploymentSpec): Decision {
  return { id, pool, spec, secrets: [] };
}

function isSameFilling(one: Filling | undefined, other: Filling): boolean {
  return one?.from === other.from && one.id === other.id;
}

function exists({ name, spec }: DeploymentRecord): EngineError {
  const what = spec.filling ? 'is being made from something else' : 'is a deployment already';
  return new EngineError('DEPLOYMENT_EXISTS', `${name} ${what}`, {
    hint: 'Choose another name with --as.',
    details: { name },
  });
}
