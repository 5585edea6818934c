import type { DeploymentIdentity } from '../drivers/driver.ts';
import { publicName } from '../model/move.ts';
import type { DeploymentRecord } from '../model/store.ts';

/** Names a deployment as drivers know it. */
export function identityOf({ id, name, owner, spec }: DeploymentRecord): DeploymentIdentity {
  return { id, name: publicName(name), owner, blueprint: spec.digest };
}
