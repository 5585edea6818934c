import { EngineError } from '../errors.ts';
import type { Capabilities } from '../model/pool.ts';

/** Refuses a pool on which the wires cannot be enforced. @throws EngineError ROOT_REQUIRED when only this user's rights are missing, else ISOLATION_UNAVAILABLE */
export function requireIsolation(pool: string, capabilities: Capabilities): void {
  if (capabilities.isolates) return;
  const reason = capabilities.isolationReason ?? 'its driver cannot say why';
  const message = `the pool ${pool} cannot enforce the wires: ${reason}`;
  const remedy = capabilities.isolationRemedy;
  if (remedy !== undefined)
    throw new EngineError('ROOT_REQUIRED', message, { hint: remedy, details: { pool } });
  throw new EngineError('ISOLATION_UNAVAILABLE', message, {
    hint: `See what is missing with: sheaf pool show ${pool}`,
  });
}
