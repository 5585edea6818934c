import { publicName } from '../model/move.ts';
import type { BeginRequest, Begun, DeploymentRecord, OperationRecord } from '../model/store.ts';
import type { Database } from './database.ts';
import {
  dropSecretsOf,
  inventoryOf,
  secretsOf,
  unfinishedOf,
  writeDeployment,
  writeEvent,
  writeSecret,
} from './journal.ts';
import { takeLease } from './lease.ts';
import { guardMove } from './move-guard.ts';
import { moveNamed } from './moves.ts';
import { deploymentOf, jsonColumn } from './rows.ts';

/**
 * Takes the lease, records what `decide` decides, and opens an operation. To be run in one transaction.
 *
 * An unfinished operation is taken over by the new one, so each deployment has at most one that is unfinished.
 */
export function begin(database: Database, request: BeginRequest): Begun {
  const all = database.all('SELECT * FROM deployments ORDER BY owner, name').map(deploymentOf);
  const current = all.find((one) => one.owner === request.owner && one.name === request.name);
  const unfinished = current ? unfinishedOf(database, current.id) : [];
  // before the decision: who may not change it is not told what is wrong with the request
  const lease = current && takeLease(database, current.id, request);
  const decision = request.decide({
    current,
    unfinished,
    inventory: current ? inventoryOf(database, current.id) : [],
    secrets: current ? secretsOf(database, current.id) : [],
    others: all.filter((one) => one !== current),
  });

  guardMove(moveNamed(database, request.owner, publicName(request.name)), current, request, decision);
  const deployment: DeploymentRecord = {
    id: current?.id ?? decision.id,
    name: request.name,
    owner: request.owner,
    pool: decision.pool,
    generation: (current?.generation ?? 0) + 1,
    createdAt: current?.createdAt ?? request.at,
    spec: decision.spec,
  };
  const operation: OperationRecord = {
    id: request.operation,
    deployment: deployment.id,
    verb: request.verb,
    data: request.data ?? null,
    state: 'running',
    generation: deployment.generation,
    resumes: unfinished[0]?.operation.id ?? null,
    previous: current?.spec ?? null,
    plan: null,
    startedAt: request.at,
    endedAt: null,
    error: null,
  };
  writeDeployment(database, deployment);
  if (operation.resumes !== null) {
    database.run("UPDATE operations SET state = 'superseded' WHERE id = ?", operation.resumes);
  }
  insertOperation(database, operation);
  dropSecretsOf(database, decision.givesUp ?? []);
  for (const secret of decision.secrets) writeSecret(database, deployment.id, operation.id, secret);
  writeEvent(database, deployment.id, {
    at: request.at,
    operation: operation.id,
    kind: 'operation',
    key: request.verb,
    what: operation.resumes === null ? 'started' : 'resumed',
  });
  return {
    deployment,
    lease: lease ?? takeLease(database, deployment.id, request),
    operation,
    resumed: unfinished,
  };
}

function insertOperation(database: Database, operation: OperationRecord): void {
  database.run(
    `INSERT INTO operations (id, deployment, verb, data, state, generation, resumes, previous, started_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    operation.id,
    operation.deployment,
    operation.verb,
    operation.data,
    operation.state,
    operation.generation,
    operation.resumes,
    jsonColumn(operation.previous),
    operation.startedAt,
  );
}
