import type { JournaledOperation, Outcome } from '../model/store.ts';
import type { Database } from './database.ts';
import { dropSecretsOf, unfinishedOf, writeEvent } from './journal.ts';
import { releaseLease } from './lease.ts';
import { jsonColumn } from './rows.ts';

// enough to look back on; plans of large applications are megabytes
const keptOperations = 20;
const keptEvents = 20_000;

/** Closes an operation, gives the lease back and drops what nobody needs any more. To be run in one transaction. */
export function endOperation(
  database: Database,
  deployment: string,
  operation: string,
  outcome: Outcome,
  at: number,
): void {
  const chain = unfinishedOf(database, deployment);
  const verb = chain[0]?.operation.verb ?? 'up';
  const what = outcome.state === 'failed' ? `failed: ${outcome.error.message}` : outcome.state;
  writeEvent(database, deployment, { at, operation, kind: 'operation', key: verb, what });
  switch (outcome.state) {
    case 'failed':
    case 'interrupted':
      database.run(
        'UPDATE operations SET state = ?, ended_at = ?, error = ? WHERE id = ?',
        outcome.state,
        at,
        jsonColumn(outcome.error),
        operation,
      );
      break;
    case 'done':
      database.run("UPDATE operations SET state = 'done', ended_at = ? WHERE id = ?", at, operation);
      if (verb === 'rollback')
        dropSecretsOf(
          database,
          chain.map((one) => one.operation.id),
        );
      else dropOldSecrets(database, deployment);
      if (outcome.spec === null) database.run('DELETE FROM deployments WHERE id = ?', deployment);
      else setSpec(database, deployment, outcome.spec);
      break;
    case 'abandoned':
      abandon(database, deployment, chain);
      break;
    default:
      outcome satisfies never;
  }
  releaseLease(database, deployment);
  prune(database, deployment);
}

function setSpec(database: Database, deployment: string, spec: object): void {
  database.run('UPDATE deployments SET spec = ? WHERE id = ?', jsonColumn(spec), deployment);
}

// the operation is as if it had never begun, and the one that it took over is unfinished again
function abandon(database: Database, deployment: string, chain: readonly JournaledOperation[]): void {
  const [own, taken] = chain;
  if (!own) return;
  dropSecretsOf(database, [own.operation.id]);
  database.run('DELETE FROM operations WHERE id = ?', own.operation.id);
  if (taken) {
    const reason = taken.operation.error?.code ?? 'OPERATION_INTERRUPTED';
    const state = reason === 'OPERATION_INTERRUPTED' ? 'interrupted' : 'failed';
    database.run('UPDATE operations SET state = ? WHERE id = ?', state, taken.operation.id);
  }
  if (own.operation.previous === null) database.run('DELETE FROM deployments WHERE id = ?', deployment);
  else setSpec(database, deployment, own.operation.previous);
}

function dropOldSecrets(database: Database, deployment: string): void {
  database.run(
    `DELETE FROM secrets WHERE deployment = ?1 AND version < (
       SELECT max(newer.version) FROM secrets AS newer WHERE newer.deployment = ?1 AND newer.name = secrets.name)`,
    deployment,
  );
}

function prune(database: Database, deployment: string): void {
  database.run(
    `DELETE FROM operations WHERE deployment = ?1 AND state IN ('done', 'superseded') AND generation <=
       (SELECT max(generation) FROM operations WHERE deployment = ?1 AND state = 'done') - ?2`,
    deployment,
    keptOperations,
  );
  database.run('DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?', keptEvents);
}
