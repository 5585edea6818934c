import { EngineError } from '../errors.ts';
import { asideName, type MoveRecord, type MoveSide, publicName, sidesOf } from '../model/move.ts';
import type { Desired } from '../model/step.ts';
import type { Decision, DecisionBasis, DeploymentRecord, DeploymentSpec } from '../model/store.ts';
import { desired } from '../plan/desired.ts';
import type { RunContext } from '../run/context.ts';
import { converge } from '../run/converge.ts';
import { down } from '../run/down.ts';
import { runOperation } from '../run/operation.ts';
import { recordedParts } from '../run/recorded-parts.ts';
import { newestVersions } from '../run/secret-values.ts';
import { deploymentMissing } from '../run/status.ts';
import { type MoveContext, sideContext } from './context.ts';

/** Finds the record of one side; undefined when it was never made, or is removed. */
export async function recordOf(
  { store }: Pick<MoveContext, 'store'>,
  { deployment }: MoveSide,
): Promise<DeploymentRecord | undefined> {
  return (await store.deployments()).find((one) => one.id === deployment);
}

/** Finds the record of one side. @throws EngineError STATE_CORRUPT when there is none */
export async function needRecord(
  context: Pick<MoveContext, 'store'>,
  move: MoveRecord,
  side: MoveSide,
): Promise<DeploymentRecord> {
  const record = await recordOf(context, side);
  if (record) return record;
  throw new EngineError('STATE_CORRUPT', `the copy of ${move.name} on ${side.pool} is not recorded`, {
    hint: `See what there is with: sheaf status ${move.name}`,
  });
}

/** Decides about the first operation of the target, before it is recorded. */
export type DecideFirst = (context: RunContext) => Promise<(basis: DecisionBasis) => Decision>;

/**
 * Holds one copy: its instances run, with their volumes mounted and their services stopped, and no endpoint leads to it.
 *
 * @param first - decides when the copy is not recorded yet
 */
export async function hold(
  context: MoveContext,
  move: MoveRecord,
  side: MoveSide,
  first?: DecideFirst,
): Promise<void> {
  const own = await sideContext(context, move, side.pool);
  const made = await recordOf(context, side);
  // the one that is to take over counts as newer, from before anything is put into it
  const { from, to } = sidesOf(move);
  const other = side.deployment === to.deployment ? await recordOf(context, from) : undefined;
  const generation = other && { dataGeneration: (other.spec.dataGeneration ?? 1) + 1 };
  const decideFirst = made ? undefined : await first?.(own);
  const change = (spec: DeploymentSpec): DeploymentSpec => ({ ...spec, ...generation, lifecycle: 'held' });
  await bring(context, own, move, 'hold', made?.name ?? asideName(move.name), (basis) => {
    const decision = basis.current ? same(basis.current) : decideFirst?.(basis);
    if (decision) return { ...decision, spec: change(decision.spec) };
    throw new EngineError('STATE_CORRUPT', `a copy of ${move.name} is not recorded`);
  });
}

/** Lets one copy work: its services start, and its endpoints open; returns when every instance is healthy. */
export async function release(context: MoveContext, move: MoveRecord, side: MoveSide): Promise<void> {
  const own = await sideContext(context, move, side.pool);
  const { name } = await needRecord(context, move, side);
  await bring(context, own, move, 'release', name, ({ current }) => {
    if (!current) throw new EngineError('STATE_CORRUPT', `a copy of ${move.name} is not recorded`);
    return { ...same(current), spec: { ...current.spec, lifecycle: 'active' } };
  });
}

/** Lets a copy work that was held for a move of which nothing is recorded any more. */
export async function wake(own: RunContext, { id, owner, name }: DeploymentRecord): Promise<void> {
  await bring(
    { store: own.store },
    own,
    { owner, source: { deployment: id } },
    'release',
    name,
    ({ current }) => {
      if (!current) throw deploymentMissing(name);
      return { ...same(current), spec: { ...current.spec, lifecycle: 'active' } };
    },
  );
}

/** Removes one copy with its data, as far as it was made. */
export async function remove(context: MoveContext, move: MoveRecord, side: MoveSide): Promise<void> {
  const record = await recordOf(context, side);
  if (!record) return;
  const own = await sideContext(context, move, side.pool);
  await down(own, { owner: move.owner, name: record.name, data: 'delete' });
}

async function bring(
  { store }: Pick<MoveContext, 'store'>,
  own: RunContext,
  { owner, source }: { readonly owner: string; readonly source: Pick<MoveSide, 'deployment'> },
  verb: 'hold' | 'release',
  name: string,
  decide: (basis: DecisionBasis) => Decision,
): Promise<void> {
  await runOperation(own, { owner, name, verb, decide }, async (begun, carry) => {
    const { id, spec } = begun.deployment;
    const shown = publicName(name);
    // the source has all its instances on record as long as the move lasts, whatever became of the target
    const parts = recordedParts(spec.blueprint, await store.inventory(source.deployment), shown);
    const secretVersions = newestVersions(await store.secrets(id));
    const recorded = await store.inventory(id);
    const live = desired({ ...spec, ...parts, name: shown, secretVersions, recorded });
    await converge(own, begun, carry, verb === 'hold' ? live.flatMap(held) : live);
    return { spec, answer: undefined };
  });
}

function held(one: Desired): readonly Desired[] {
  if (one.kind === 'endpoint') return [];
  return one.kind === 'instance' ? [{ ...one, state: { ...one.state, isHeld: true } }] : [one];
}

function same({ id, pool, spec }: DeploymentRecord): Decision {
  return { id, pool, spec, secrets: [] };
}
