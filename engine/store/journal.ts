import { publicName } from '../model/move.ts';
import type { LoggedEvent } from '../model/status.ts';
import type {
  DeploymentRecord,
  JournaledOperation,
  Recorded,
  SealedSecret,
  StepWrite,
} from '../model/store.ts';
import type { Database } from './database.ts';
import { jsonColumn, operationOf, recordedOf, secretOf, stepOf, text } from './rows.ts';

/** Reads the unfinished operation of a deployment and those whose work it took over, newest first. */
export function unfinishedOf(database: Database, deployment: string): readonly JournaledOperation[] {
  const found: JournaledOperation[] = [];
  let row = database.get(
    "SELECT * FROM operations WHERE deployment = ? AND state IN ('running', 'failed', 'interrupted')",
    deployment,
  );
  while (row) {
    const operation = operationOf(row);
    const steps = database.all('SELECT * FROM steps WHERE operation = ? ORDER BY position', operation.id);
    found.push({ operation, steps: steps.map(stepOf) });
    row =
      operation.resumes === null
        ? undefined
        : database.get('SELECT * FROM operations WHERE id = ?', operation.resumes);
  }
  return found;
}

/** Reads what a deployment has at its provider, by kind and key. */
export function inventoryOf(database: Database, deployment: string): readonly Recorded[] {
  return database
    .all('SELECT * FROM inventory WHERE deployment = ? ORDER BY kind, key', deployment)
    .map(recordedOf);
}

/** Changes one entry of the inventory. */
export function writeInventory(
  database: Database,
  deployment: string,
  change: NonNullable<StepWrite['inventory']>,
): void {
  if ('remove' in change) {
    const { kind, key } = change.remove;
    database.run(
      'DELETE FROM inventory WHERE deployment = ? AND kind = ? AND key = ?',
      deployment,
      kind,
      key,
    );
    return;
  }
  const { kind, key, state, generation, isSettled } = change.set;
  database.run(
    `INSERT OR REPLACE INTO inventory (deployment, kind, key, state, generation, is_settled)
     VALUES (?, ?, ?, ?, ?, ?)`,
    deployment,
    kind,
    key,
    jsonColumn(state),
    generation,
    isSettled ? 1 : 0,
  );
}

/** Reads all versions of a deployment's sealed secrets, by name and version. */
export function secretsOf(database: Database, deployment: string): readonly SealedSecret[] {
  return database
    .all('SELECT * FROM secrets WHERE deployment = ? ORDER BY name, version', deployment)
    .map(secretOf);
}

/** Writes a deployment's row whole. */
export function writeDeployment(database: Database, deployment: DeploymentRecord): void {
  database.run(
    `INSERT INTO deployments (id, owner, name, pool, generation, created_at, spec) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET pool = excluded.pool, generation = excluded.generation, spec = excluded.spec`,
    deployment.id,
    deployment.owner,
    deployment.name,
    deployment.pool,
    deployment.generation,
    deployment.createdAt,
    jsonColumn(deployment.spec),
  );
}

/** Writes a new version of a sealed secret. @param operation - that brought it */
export function writeSecret(
  database: Database,
  deployment: string,
  operation: string,
  { name, version, sealed }: SealedSecret,
): void {
  database.run(
    'INSERT INTO secrets (deployment, name, version, operation, sealed) VALUES (?, ?, ?, ?, ?)',
    deployment,
    name,
    version,
    operation,
    sealed,
  );
}

/** Drops the secrets that some operations brought. */
export function dropSecretsOf(database: Database, operations: readonly string[]): void {
  for (const operation of operations) database.run('DELETE FROM secrets WHERE operation = ?', operation);
}

/** Appends an event under the deployment's name, which outlives the deployment. */
export function writeEvent(
  database: Database,
  deployment: string,
  event: Omit<LoggedEvent, 'deployment'>,
): void {
  const row = database.get('SELECT name FROM deployments WHERE id = ?', deployment);
  database.run(
    'INSERT INTO events (at, deployment, operation, kind, key, what) VALUES (?, ?, ?, ?, ?, ?)',
    event.at,
    row ? publicName(text(row, 'name')) : deployment,
    event.operation,
    event.kind,
    event.key,
    event.what,
  );
}
