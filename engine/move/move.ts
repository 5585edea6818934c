import { EngineError } from '../errors.ts';
import type { MoveBasis, MoveChange, MovePhase, MoveRecord } from '../model/move.ts';
import type { DeploymentStatus } from '../model/status.ts';
import { deploymentMissing, status } from '../run/status.ts';
import { deploymentMoved, moveUnfinished } from '../store/move-guard.ts';
import { askForMove } from './ask.ts';
import { carryOn, phasesBefore, type Rest } from './carry-on.ts';
import type { MoveContext } from './context.ts';
import { wake } from './sides.ts';

/** Names a deployment. */
export type MoveName = { readonly owner: string; readonly name: string };

/**
 * Moves a deployment with its data to another pool, or goes on with that.
 *
 * @returns the status of the copy that works now, which waits for `confirm` or `undo`
 * @throws EngineError DEPLOYMENT_MISSING; MOVE_REFUSED; MOVE_UNFINISHED when something else is to be done first; what made it
 *   return; as `carryOn`
 */
export async function move(
  context: MoveContext,
  { owner, name, to }: MoveName & { readonly to: string },
): Promise<DeploymentStatus> {
  for (;;) {
    const known = await context.store.move(owner, name);
    const record = await context.store.deployment(owner, name);
    if (!record) throw deploymentMissing(name);
    if (!known) await askForMove(context, record, to);
    const created = {
      id: context.newId(),
      source: { deployment: record.id, pool: record.pool },
      target: { deployment: context.newId(), pool: to },
    };
    const rest = await work(context, { owner, name }, 'move', (basis) => {
      if (!basis.move) return { create: created };
      const isElsewhere = basis.move.target.pool !== to || basis.move.direction === 'back';
      if (isElsewhere && !isLeftOver(basis.move)) throw moveUnfinished(basis.move, context.isAlive);
      // why an undo failed is no news any more
      return { change: basis.move.phase === 'waiting' ? { error: null } : {} };
    });
    if (!rest.isOver) return await status(await context.contextOf(to), owner, name);
    // what was left of an earlier one is done
  }
}

/** Returns from a move that is not decided yet: the copy that worked works on, and the other is removed. @throws EngineError as `carryOn` */
export async function rollBackMove(
  context: MoveContext,
  { owner, name }: MoveName,
): Promise<DeploymentStatus> {
  await work(context, { owner, name }, 'rollback', ({ move: known }) => {
    if (!known) throw noMove(name);
    if (isLeftOver(known)) return { change: { error: null } };
    if (!phasesBefore.includes(known.phase)) {
      throw new EngineError(
        'MOVE_UNFINISHED',
        `the move of ${name} is decided: it works on ${known.target.pool}`,
        {
          hint: `Go back, with what was written since: sheaf undo ${name}`,
        },
      );
    }
    return { change: { phase: 'returning', error: null } };
  });
  return await valid(context, { owner, name });
}

/** Removes the old copy of a deployment that was moved, with its data. @throws EngineError as `carryOn` */
export async function confirmMove(
  context: MoveContext,
  { owner, name }: MoveName,
): Promise<DeploymentStatus> {
  await work(context, { owner, name }, 'confirm', ({ move: known }) => {
    if (!known) throw noMove(name);
    if (isLeftOver(known)) return { change: { error: null } };
    if (known.phase !== 'waiting') throw moveUnfinished(known, context.isAlive);
    return { change: { phase: 'confirming', error: null } };
  });
  return await valid(context, { owner, name });
}

/**
 * Takes a deployment that was moved back to where it was, with what was written since; or goes on with that.
 *
 * A copy that was held for a move of which nothing is recorded any more works again, when it is said that others do not count.
 *
 * @param discards - what was written since is given up; also possible when the pool to which it went cannot be reached
 * @throws EngineError as `carryOn`
 */
export async function undoMove(
  context: MoveContext,
  { owner, name, discards }: MoveName & { readonly discards: boolean },
): Promise<DeploymentStatus> {
  const { store } = context;
  const record = await store.deployment(owner, name);
  if (record?.spec.lifecycle === 'held' && !(await store.move(owner, name))) {
    if (!discards) throw deploymentMoved(name);
    await wake(await context.contextOf(record.pool), record);
    return await valid(context, { owner, name });
  }
  await work(context, { owner, name }, 'undo', ({ move: known }) => {
    if (!known) throw noMove(name);
    if (isLeftOver(known)) return { change: { error: null } };
    if (known.direction === 'back')
      return { change: discards && phasesBefore.includes(known.phase) ? { discards } : {} };
    if (phasesBefore.includes(known.phase)) throw moveUnfinished(known, context.isAlive);
    return { change: { direction: 'back', phase: 'preparing', discards, error: null } };
  });
  return await valid(context, { owner, name });
}

/** Goes on with a move that was cut off, whatever it was about to do. @returns false when nothing was unfinished */
export async function resumeMove(context: MoveContext, { owner, name }: MoveName): Promise<boolean> {
  const known = await context.store.move(owner, name);
  if (!known || known.phase === 'waiting') return false;
  await work(context, { owner, name }, 'move', ({ move: found }) => {
    if (!found) throw noMove(name);
    return { change: {} };
  });
  return true;
}

async function work(
  context: MoveContext,
  { owner, name }: MoveName,
  verb: string,
  decide: (
    basis: MoveBasis,
  ) => { readonly create: Pick<MoveRecord, 'id' | 'source' | 'target'> } | { readonly change: MoveChange },
): Promise<Rest> {
  const { store, holder, isAlive, clock } = context;
  const begun = await store.beginMove({ owner, name, holder, isAlive, at: clock(), verb, decide });
  const rest = await carryOn(context, begun);
  const { error } = rest.move;
  if (error === null) return rest;
  const { pool } = await valid(context, { owner, name });
  throw new EngineError(error.code, error.message, {
    hint: `${name} works on ${pool} as before${error.hint === undefined ? '.' : `. ${error.hint}`}`,
  });
}

async function valid(context: MoveContext, { owner, name }: MoveName): Promise<DeploymentStatus> {
  const record = await context.store.deployment(owner, name);
  if (!record) throw deploymentMissing(name);
  return await status(await context.contextOf(record.pool), owner, name);
}

const leftOver: readonly MovePhase[] = ['returning', 'cleaning', 'confirming'];

function isLeftOver({ phase }: MoveRecord): boolean {
  return leftOver.includes(phase);
}

function noMove(name: string): EngineError {
  return new EngineError('INPUT_REFUSED', `${name} has no move that waits`, {
    hint: `See what it does with: sheaf status ${name}`,
  });
}
