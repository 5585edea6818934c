import { EngineError } from '../errors.ts';
import {
  asideName,
  type BeginMoveRequest,
  type BegunMove,
  type MoveChange,
  type MoveLease,
  type MovePhase,
  type MoveRecord,
  type MoveSide,
  sidesOf,
} from '../model/move.ts';
import type { OperationError } from '../model/store.ts';
import type { Database, Row } from './database.ts';
import { holderOf, leaseHolderOf } from './lease.ts';
import { integer, json, jsonColumn, optional, text } from './rows.ts';

/** Reads all moves, by owner and name. */
export function listMoves(database: Database): readonly MoveRecord[] {
  return database.all('SELECT * FROM moves ORDER BY owner, name').map(moveOf);
}

/** Reads the move of a deployment's name. */
export function moveNamed(database: Database, owner: string, name: string): MoveRecord | undefined {
  const row = database.get('SELECT * FROM moves WHERE owner = ? AND name = ?', owner, name);
  return row && moveOf(row);
}

/**
 * Begins a move, or takes one over. To be run in one transaction.
 *
 * @throws EngineError DEPLOYMENT_BUSY when a living process holds it, or the deployment itself
 */
export function beginMove(database: Database, request: BeginMoveRequest): BegunMove {
  const { owner, name, holder, isAlive, at, verb, decide } = request;
  const row = database.get('SELECT * FROM moves WHERE owner = ? AND name = ?', owner, name);
  const known = row && moveOf(row);
  const named = database.get('SELECT id FROM deployments WHERE owner = ? AND name = ?', owner, name);
  const deployment = named && text(named, 'id');
  const busy = known?.holder ?? (deployment && leaseHolderOf(database, deployment)?.holder);
  if (busy && isAlive(busy)) {
    throw new EngineError('DEPLOYMENT_BUSY', `${name} is being changed by process ${busy.pid}`, {
      hint: 'Wait until it has finished, or stop it with Ctrl-C.',
      details: { pid: busy.pid },
    });
  }
  const decision = decide({ deployment, move: known });
  const epoch = (row ? integer(row, 'epoch') : 0) + 1;
  if ('create' in decision) {
    const { id, source, target } = decision.create;
    database.run(
      `INSERT INTO moves (id, owner, name, source, source_pool, target, target_pool, direction, phase, discards,
         started_at, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, 'there', 'preparing', 0, ?, 0)`,
      ...[id, owner, name, source.deployment, source.pool, target.deployment, target.pool, at],
    );
  }
  const id = 'create' in decision ? decision.create.id : (known?.id ?? '');
  database.run(
    'UPDATE moves SET epoch = ?, pid = ?, start_ticks = ?, boot_id = ? WHERE id = ?',
    ...[epoch, holder.pid, holder.startTicks, holder.bootId, id],
  );
  if ('change' in decision) change(database, id, decision.change);
  const move = moveWith(database, id);
  writeMoveEvent(database, move, at, `${verb} ${known ? 'resumed' : 'started'}: ${move.phase}`);
  return { move, lease: { move: id, epoch } };
}

/** Writes how far a move came. To be run in one transaction. @throws EngineError LEASE_LOST */
export function writeMove(
  database: Database,
  lease: MoveLease,
  wanted: MoveChange,
  at: number,
  what: string,
): MoveRecord {
  checkMoveLease(database, lease);
  change(database, lease.move, wanted);
  const move = moveWith(database, lease.move);
  writeMoveEvent(database, move, at, what);
  return move;
}

/**
 * The commit point: the copy that takes over gets the name. To be run in one transaction.
 *
 * From here on the other copy is the old one, whatever happens.
 *
 * @throws EngineError LEASE_LOST; STATE_CORRUPT when a copy is not recorded, or not the newer one
 */
export function commitMove(database: Database, lease: MoveLease, at: number): MoveRecord {
  checkMoveLease(database, lease);
  const before = moveWith(database, lease.move);
  const { from, to } = sidesOf(before);
  const isNewer = generationOf(database, to) > generationOf(database, from);
  if (before.phase !== 'finishing' || !isNewer)
    throw new EngineError(
      'STATE_CORRUPT',
      `the records of the move of ${before.name} contradict themselves`,
      {
        hint: `Go back with: sheaf move ${before.name} --rollback`,
      },
    );
  const rename = (side: MoveSide, name: string): number =>
    database.run('UPDATE deployments SET name = ? WHERE id = ?', name, side.deployment);
  // three times: a name belongs to one deployment at every moment
  rename(from, `${before.name}.`);
  rename(to, before.name);
  rename(from, asideName(before.name));
  database.run(
    "UPDATE moves SET phase = 'switching', committed_at = ?, error = NULL WHERE id = ?",
    before.direction === 'there' ? at : before.committedAt,
    before.id,
  );
  const move = moveWith(database, lease.move);
  writeMoveEvent(database, move, at, `committed: ${to.pool} has the valid data`);
  return move;
}

/** Gives a move back. To be run in one transaction. @param isOver - nothing is left to be done, so its record goes */
export function endMove(database: Database, lease: MoveLease, isOver: boolean): void {
  checkMoveLease(database, lease);
  if (isOver) database.run('DELETE FROM moves WHERE id = ?', lease.move);
  else
    database.run('UPDATE moves SET pid = NULL, start_ticks = NULL, boot_id = NULL WHERE id = ?', lease.move);
}

function generationOf(database: Database, { deployment }: MoveSide): number {
  const row = database.get('SELECT spec FROM deployments WHERE id = ?', deployment);
  if (!row) throw new EngineError('STATE_CORRUPT', 'a copy of a deployment that is moved is not recorded');
  const { dataGeneration } = json<{ readonly dataGeneration?: number }>(row, 'spec');
  return dataGeneration ?? 1;
}

function change(database: Database, id: string, wanted: MoveChange): void {
  const set = (column: string, value: string | number | null): unknown =>
    database.run(`UPDATE moves SET ${column} = ? WHERE id = ?`, value, id);
  if (wanted.direction !== undefined) set('direction', wanted.direction);
  if (wanted.phase !== undefined) set('phase', wanted.phase);
  if (wanted.discards !== undefined) set('discards', wanted.discards ? 1 : 0);
  if (wanted.confirmBy !== undefined) set('confirm_by', wanted.confirmBy);
  if (wanted.error !== undefined)
    database.run('UPDATE moves SET error = ? WHERE id = ?', jsonColumn(wanted.error), id);
}

function checkMoveLease(database: Database, { move, epoch }: MoveLease): void {
  const row = database.get('SELECT epoch, pid FROM moves WHERE id = ?', move);
  if (row && integer(row, 'epoch') === epoch && row['pid'] !== null) return;
  throw new EngineError('LEASE_LOST', 'another process took this move over', {
    hint: 'See what it does with `sheaf status`.',
  });
}

function moveWith(database: Database, id: string): MoveRecord {
  const row = database.get('SELECT * FROM moves WHERE id = ?', id);
  if (row) return moveOf(row);
  throw new EngineError('INTERNAL_ERROR', 'a move was begun that is not recorded');
}

function writeMoveEvent(database: Database, move: MoveRecord, at: number, what: string): void {
  database.run(
    "INSERT INTO events (at, deployment, operation, kind, key, what) VALUES (?, ?, ?, 'operation', 'move', ?)",
    ...[at, move.name, move.id, what],
  );
}

function moveOf(row: Row): MoveRecord {
  const side = (prefix: string): MoveSide => ({
    deployment: text(row, prefix),
    pool: text(row, `${prefix}_pool`),
  });
  return {
    id: text(row, 'id'),
    owner: text(row, 'owner'),
    name: text(row, 'name'),
    source: side('source'),
    target: side('target'),
    direction: text(row, 'direction') as MoveRecord['direction'],
    phase: text(row, 'phase') as MovePhase,
    discards: integer(row, 'discards') === 1,
    startedAt: integer(row, 'started_at'),
    committedAt: optional(row, 'committed_at', integer),
    confirmBy: optional(row, 'confirm_by', integer),
    error: optional(row, 'error', json<OperationError>),
    holder: holderOf(row),
  };
}
