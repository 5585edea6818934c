import { EngineError } from '../errors.ts';
import { type BegunMove, type MoveChange, type MovePhase, type MoveRecord, sidesOf } from '../model/move.ts';
import { asEngineError, operationError } from '../run/failure.ts';
import type { MoveContext } from './context.ts';
import { copyTheRest, copyWhileRunning } from './copy-data.ts';
import { hold, needRecord, release, remove } from './sides.ts';
import { firstDecision } from './target.ts';

/** How far a move came: it waits for a decision, or is over. `error` tells why it returned. */
export type Rest = { readonly move: MoveRecord; readonly isOver: boolean };

/** What comes after a phase. */
type Next = MoveChange | 'commit' | 'over' | 'rest';

const confirmWithinMs = 7 * 24 * 3_600_000;

/**
 * Carries a move on from where it is, phase by phase, until nothing is left to be done but to decide.
 *
 * Each phase can be begun again from its beginning. What fails before the commit point is written down and leads back to
 * the copy that works; what fails after it stays where it is, for the same command or an undo.
 *
 * @throws EngineError OPERATION_INTERRUPTED; LEASE_LOST; of a phase that cannot be gone back from
 */
export async function carryOn(context: MoveContext, begun: BegunMove): Promise<Rest> {
  const { store, clock } = context;
  const { lease } = begun;
  let { move } = begun;
  let isOver = false;
  try {
    for (;;) {
      tell(context, move, 'started');
      let next: Next;
      try {
        next = await pass(context, move);
      } catch (cause) {
        next = wayBack(context, move, cause);
      }
      tell(context, move, 'done');
      if (next === 'over' || next === 'rest') {
        isOver = next === 'over';
        return { move, isOver };
      }
      move =
        next === 'commit'
          ? await store.commitMove(lease, clock())
          : await store.writeMove(lease, next, clock(), next.phase ?? move.phase);
    }
  } finally {
    // what cannot be given back now says what a kill would have left
    await store.endMove(lease, isOver).catch(() => undefined);
  }
}

/** Does what a phase is for. @returns what comes next */
async function pass(context: MoveContext, move: MoveRecord): Promise<Next> {
  const { from, to } = sidesOf(move);
  const { phase, direction, discards, source, target } = move;
  switch (phase) {
    case 'preparing': {
      const record = await needRecord(context, move, source);
      const secrets = await context.store.secrets(source.deployment);
      await hold(context, move, to, firstDecision(record, secrets, target.deployment));
      return { phase: 'copying' };
    }
    case 'copying':
      if (!discards) await copyWhileRunning(context, move);
      return { phase: 'holding' };
    case 'holding':
      await hold(context, move, from).catch((cause: unknown) => giveUpHolding(context, move, cause));
      return { phase: 'finishing' };
    case 'finishing':
      if (!discards) await copyTheRest(context, move);
      return 'commit';
    case 'switching':
      await release(context, move, to);
      return direction === 'back'
        ? { phase: 'cleaning' }
        : { phase: 'waiting', confirmBy: context.clock() + confirmWithinMs };
    case 'waiting':
      return 'rest';
    case 'returning':
      await release(context, move, from).catch((cause: unknown) => leaveUnwell(context, move, cause));
      return returned(move);
    case 'confirming':
      await remove(context, move, source);
      return 'over';
    case 'cleaning':
      await remove(context, move, target);
      return 'over';
    default:
      return phase satisfies never;
  }
}

/** Decides what becomes of a move of which a phase failed. @throws EngineError when there is no other way than to try again */
function wayBack(context: MoveContext, move: MoveRecord, cause: unknown): Next {
  const error = asEngineError(cause);
  const { name, phase, direction, target } = move;
  if (error.code === 'LEASE_LOST') throw error;
  const same = direction === 'back' ? `sheaf undo ${name}` : `sheaf move ${name} --to ${target.pool}`;
  if (context.signal.aborted) {
    const isUndecided = phasesBefore.includes(phase);
    throw new EngineError('OPERATION_INTERRUPTED', `the move of ${name} was stopped on request (${phase})`, {
      hint: `Go on with: ${same}${isUndecided ? `; or return with: sheaf move ${name} --rollback` : ''}`,
    });
  }
  switch (phase) {
    case 'preparing':
    case 'copying':
    case 'holding':
    case 'finishing':
      return { phase: 'returning', error: operationError(error) };
    case 'switching':
      throw withHint(
        error,
        direction === 'back'
          ? `Try again with: ${same}`
          : `Try again with: ${same}; or go back, with what was written since: sheaf undo ${name}`,
      );
    case 'returning':
      throw withHint(error, `${before(move)}Try again with: sheaf move ${name} --rollback`);
    case 'cleaning':
    case 'confirming':
      throw withHint(
        error,
        `${before(move)}${name} works; what is left of the other copy is removed by running the same command again.`,
      );
    case 'waiting':
      throw error;
    default:
      return phase satisfies never;
  }
}

/** The phases before the commit point. */
export const phasesBefore: readonly MovePhase[] = ['preparing', 'copying', 'holding', 'finishing'];

function returned({ direction }: MoveRecord): MoveChange {
  return direction === 'there'
    ? { phase: 'cleaning' }
    : { phase: 'waiting', direction: 'there', discards: false };
}

function before({ error }: MoveRecord): string {
  return error === null ? '' : `It returned because: ${error.message}. `;
}

function withHint(error: EngineError, hint: string): EngineError {
  return new EngineError(error.code, error.message, { hint, details: error.details, cause: error });
}

// who gives up the changes of a copy may do so when it cannot be reached any more
function giveUpHolding(context: MoveContext, move: MoveRecord, cause: unknown): void {
  const { code, message } = asEngineError(cause);
  if (!move.discards || code === 'LEASE_LOST' || context.signal.aborted) throw cause;
  context.report({
    type: 'warning',
    code,
    message: `the copy on ${sidesOf(move).from.pool} could not be stopped: ${message}`,
    hint: 'See to it that it does not come back, or is removed then.',
  });
}

// a copy that was unwell by itself must not keep its move from being over: then it can be repaired
function leaveUnwell(context: MoveContext, move: MoveRecord, cause: unknown): void {
  const { code, message } = asEngineError(cause);
  const isUnwell = code === 'INSTANCE_UNHEALTHY' || code === 'INSTANCE_FAILED';
  if (!isUnwell || context.signal.aborted) throw cause;
  const hint = `Mend it with: sheaf repair ${move.name}`;
  context.report({ type: 'warning', code, message: `${move.name} is back, and not well: ${message}`, hint });
}

function tell({ report }: MoveContext, move: MoveRecord, state: 'started' | 'done'): void {
  const { name, phase } = move;
  const { from, to } = sidesOf(move);
  report({ type: 'move', deployment: name, phase, from: from.pool, to: to.pool, state });
}
