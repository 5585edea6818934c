import { EngineError } from '../errors.ts';
import type { Adoption } from '../model/store.ts';
import type { Database } from './database.ts';
import { writeDeployment, writeEvent, writeInventory, writeSecret } from './journal.ts';

/** Records a deployment that was found at a provider. To be run in one transaction. @throws EngineError DEPLOYMENT_EXISTS */
export function adopt(database: Database, { deployment, secrets, inventory, operation, at }: Adoption): void {
  const { id, name, owner } = deployment;
  const other = database.get('SELECT id FROM deployments WHERE owner = ? AND name = ?', owner, name);
  if (other || database.get('SELECT id FROM deployments WHERE id = ?', id)) {
    throw new EngineError('DEPLOYMENT_EXISTS', `the name ${name} belongs to another deployment by now`, {
      hint: `Take that one down, then adopt again. What was found has the id ${id}.`,
      details: { name, found: id },
    });
  }
  writeDeployment(database, deployment);
  for (const secret of secrets) writeSecret(database, id, operation, secret);
  for (const set of inventory) writeInventory(database, id, { set });
  writeEvent(database, id, { at, operation, kind: 'operation', key: 'adopt', what: 'done' });
}
