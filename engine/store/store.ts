import type { Refs } from '../model/blob.ts';
import type { BeginMoveRequest, BegunMove, MoveChange, MoveLease, MoveRecord } from '../model/move.ts';
import type { LoggedEvent } from '../model/status.ts';
import type { Plan } from '../model/step.ts';
import type {
  Adoption,
  BeginRequest,
  Begun,
  DeploymentRecord,
  JournaledOperation,
  Lease,
  LeaseHolder,
  Outcome,
  Recorded,
  SealedSecret,
  StepWrite,
  Store,
} from '../model/store.ts';
import { adopt } from './adopt.ts';
import { begin } from './begin.ts';
import { Database } from './database.ts';
import { endOperation } from './end-operation.ts';
import { inventoryOf, secretsOf, unfinishedOf, writeEvent, writeInventory } from './journal.ts';
import { checkLease, leaseHolderOf } from './lease.ts';
import { beginMove, commitMove, endMove, listMoves, moveNamed, writeMove } from './moves.ts';
import { refsOf } from './refs.ts';
import { deploymentOf, eventOf, integer, jsonColumn } from './rows.ts';

/**
 * Opens the state database of one home folder, made when absent, and migrates it to this program's version.
 *
 * Any number of processes may have it open.
 *
 * @throws EngineError STATE_NEWER, STATE_CORRUPT, DISK_FULL
 */
export function openStore(file: string): Store {
  return new SqliteStore(new Database(file));
}

class SqliteStore implements Store {
  readonly #database: Database;
  readonly refs: Refs;

  constructor(database: Database) {
    this.#database = database;
    this.refs = refsOf(database);
  }

  async deployments(): Promise<readonly DeploymentRecord[]> {
    return this.#database.all('SELECT * FROM deployments ORDER BY owner, name').map(deploymentOf);
  }

  async deployment(owner: string, name: string): Promise<DeploymentRecord | undefined> {
    const row = this.#database.get('SELECT * FROM deployments WHERE owner = ? AND name = ?', owner, name);
    return row && deploymentOf(row);
  }

  async inventory(deployment: string): Promise<readonly Recorded[]> {
    return inventoryOf(this.#database, deployment);
  }

  async unfinished(deployment: string): Promise<readonly JournaledOperation[]> {
    return this.#database.transaction(() => unfinishedOf(this.#database, deployment));
  }

  async secrets(deployment: string): Promise<readonly SealedSecret[]> {
    return secretsOf(this.#database, deployment);
  }

  async repairsSince(deployment: string, at: number): Promise<number> {
    const row = this.#database.get(
      `SELECT count(*) AS count FROM operations WHERE deployment = ?1 AND verb = 'repair' AND started_at >= ?2
         AND generation > coalesce((SELECT max(generation) FROM operations
           WHERE deployment = ?1 AND verb <> 'repair' AND state = 'done'), 0)`,
      deployment,
      at,
    );
    return row ? integer(row, 'count') : 0;
  }

  async leaseHolder(deployment: string): Promise<LeaseHolder | undefined> {
    return leaseHolderOf(this.#database, deployment);
  }

  async events(name?: string): Promise<readonly LoggedEvent[]> {
    const rows =
      name === undefined
        ? this.#database.all('SELECT * FROM events ORDER BY id')
        : this.#database.all('SELECT * FROM events WHERE deployment = ? ORDER BY id', name);
    return rows.map(eventOf);
  }

  async begin(request: BeginRequest): Promise<Begun> {
    return this.#database.transaction(() => begin(this.#database, request));
  }

  async writePlan(lease: Lease, operation: string, plan: Plan): Promise<void> {
    this.#leased(lease, () => {
      this.#database.run('UPDATE operations SET plan = ? WHERE id = ?', jsonColumn(plan), operation);
      for (const [position, step] of plan.steps.entries()) {
        this.#database.run(
          "INSERT INTO steps (operation, id, position, state) VALUES (?, ?, ?, 'pending')",
          operation,
          step.id,
          position,
        );
      }
    });
  }

  async writeStep(lease: Lease, write: StepWrite): Promise<void> {
    this.#leased(lease, () => {
      this.#database.run(
        `UPDATE steps SET state = ?1, result = coalesce(?2, result), started_order =
           coalesce(started_order, 1 + (SELECT count(started_order) FROM steps WHERE operation = ?3))
         WHERE operation = ?3 AND id = ?4`,
        write.state,
        jsonColumn(write.result ?? null),
        write.operation,
        write.step,
      );
      if (write.inventory) writeInventory(this.#database, lease.deployment, write.inventory);
      writeEvent(this.#database, lease.deployment, {
        ...write.event,
        at: write.at,
        operation: write.operation,
      });
    });
  }

  async writeEvents(lease: Lease, events: readonly Omit<LoggedEvent, 'deployment'>[]): Promise<void> {
    this.#leased(lease, () => {
      for (const event of events) writeEvent(this.#database, lease.deployment, event);
    });
  }

  async end(lease: Lease, operation: string, outcome: Outcome, at: number): Promise<void> {
    this.#leased(lease, () => endOperation(this.#database, lease.deployment, operation, outcome, at));
  }

  async moves(): Promise<readonly MoveRecord[]> {
    return listMoves(this.#database);
  }

  async move(owner: string, name: string): Promise<MoveRecord | undefined> {
    return moveNamed(this.#database, owner, name);
  }

  async beginMove(request: BeginMoveRequest): Promise<BegunMove> {
    return this.#database.transaction(() => beginMove(this.#database, request));
  }

  async writeMove(lease: MoveLease, change: MoveChange, at: number, what: string): Promise<MoveRecord> {
    return this.#database.transaction(() => writeMove(this.#database, lease, change, at, what));
  }

  async commitMove(lease: MoveLease, at: number): Promise<MoveRecord> {
    return this.#database.transaction(() => commitMove(this.#database, lease, at));
  }

  async endMove(lease: MoveLease, isOver: boolean): Promise<void> {
    this.#database.transaction(() => endMove(this.#database, lease, isOver));
  }

  async adopt(adoption: Adoption): Promise<void> {
    this.#database.transaction(() => adopt(this.#database, adoption));
  }

  close(): void {
    this.#database.close();
  }

  #leased(lease: Lease, body: () => void): void {
    this.#database.transaction(() => {
      checkLease(this.#database, lease);
      body();
    });
  }
}
