import { EngineError } from '../errors.ts';
import { isAside, isUnderWay, type MoveRecord } from '../model/move.ts';
import type { BeginRequest, Decision, DeploymentRecord } from '../model/store.ts';

/**
 * Refuses an operation that would come between the two copies of a deployment that is moved.
 *
 * While the move is under way nobody but itself changes either. While it waits, the valid copy may be brought back and
 * repaired, and stays what it is otherwise, so that an undo finds on both sides what it needs. The other copy belongs to the move.
 *
 * @throws EngineError MOVE_UNFINISHED, DEPLOYMENT_BUSY
 */
export function guardMove(
  move: MoveRecord | undefined,
  current: DeploymentRecord | undefined,
  request: BeginRequest,
  decision: Decision,
): void {
  if (move === undefined || request.move === move.id) return;
  const isValid = current !== undefined && !isAside(current.name);
  if (isValid && (move.phase === 'cleaning' || move.phase === 'confirming')) return;
  const isSame = decision.spec.digest === current?.spec.digest && decision.secrets.length === 0;
  const isCare = request.verb === 'up' || request.verb === 'repair' || request.verb === 'rollback';
  if (isValid && move.phase === 'waiting' && isCare && isSame) return;
  throw moveUnfinished(move, request.isAlive);
}

/** Makes the error for a deployment that must not be changed, because it is being moved. */
export function moveUnfinished(move: MoveRecord, isAlive: BeginRequest['isAlive']): EngineError {
  const { name, holder, phase, direction, target } = move;
  if (holder && isAlive(holder)) {
    return new EngineError('DEPLOYMENT_BUSY', `${name} is being moved by process ${holder.pid}`, {
      hint: 'Wait until it has finished, or stop it with Ctrl-C.',
      details: { pid: holder.pid },
    });
  }
  const details = { move: move.id, phase };
  if (!isUnderWay(move)) {
    return new EngineError(
      'MOVE_UNFINISHED',
      `${name} was moved to ${target.pool}, and its old copy is still kept`,
      {
        hint: `First decide: sheaf confirm ${name}, or sheaf undo ${name}`,
        details,
      },
    );
  }
  const isBack = direction === 'back';
  return new EngineError(
    'MOVE_UNFINISHED',
    `${name} has an unfinished ${isBack ? 'undo of its ' : ''}move (${phase})`,
    {
      hint: isBack
        ? `Go on with: sheaf undo ${name}`
        : `Go on with: sheaf move ${name} --to ${target.pool}, or return with: sheaf move ${name} --rollback`,
      details,
    },
  );
}
