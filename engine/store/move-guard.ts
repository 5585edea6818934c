import { EngineError } from '../errors.ts';
import { isAside, isUnderWay, type MoveRecord } from '../model/move.ts';
import type { BeginRequest, Decision, DeploymentRecord } from '../model/store.ts';

/**
 * Refuses an operation that would come between the two copies of a deployment that is moved.
 *
 * While the move is under way nobody but itself changes either. While it waits, the valid copy may be brought back and
 * repaired, and stays what it is otherwise, so that an undo finds on both sides what it needs. The other copy belongs to the move.
 *
 * One that was held for a move of which nothing is recorded any more is woken by nobody who does not say so.
 *
 * @throws EngineError MOVE_UNFINISHED, DEPLOYMENT_BUSY, DEPLOYMENT_MOVED
 */
export function guardMove(
  move: MoveRecord | undefined,
  current: DeploymentRecord | undefined,
  request: BeginRequest,
  decision: Decision,
): void {
  if (move === undefined) {
    const wakes = current?.spec.lifecycle === 'held' && decision.spec.lifecycle === 'active';
    if (wakes && request.verb !== 'release') {
      throw current.spec.filling ? deploymentFilling(current.name) : deploymentMoved(current.name);
    }
    return;
  }
  if (request.move === move.id) return;
  const isValid = current !== undefined && !isAside(current.name);
  if (isValid && (move.phase === 'cleaning' || move.phase === 'confirming')) return;
  const isSame = decision.spec.digest === current?.spec.digest && decision.secrets.length === 0;
  const isCare = request.verb === 'up' || request.verb === 'repair' || request.verb === 'rollback';
  if (isValid && move.phase === 'waiting' && isCare && isSame) return;
  throw moveUnfinished(move, request.isAlive);
}

/** Makes the error for a copy that was held for a move, and that nobody knows to be the valid one. */
export function deploymentMoved(name: string): EngineError {
  return new EngineError(
    'DEPLOYMENT_MOVED',
    `${name} is held: it was moved, or was to be, and another copy may work`,
    {
      hint: `Look for the other copy: sheaf adopt POOL. If this is the one to go on with: sheaf undo ${name} --discard-changes ${name}`,
    },
  );
}

function deploymentFilling(name: string): EngineError {
  return new EngineError('OPERATION_INTERRUPTED', `${name} does not have all of its data yet`, {
    hint: `Run the same \`restore\` or \`copy\` again, which goes on; or remove it: sheaf down ${name} --delete-data ${name}`,
  });
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
