import { EngineError } from '../errors.ts';
import type { Capabilities } from '../model/pool.ts';

/** Refuses a pool on which the wires cannot be enforced. @throws EngineError ISOLATION_UNAVAILABLE */
export function requireIsolation(pool: string, capabilities: Capabilities): void {
  if (capabilities.isolates) return;
  const reason = capabilities.isolationReason ?? 'its driver cannot say why';
  throw new EngineError('ISOLATION_UNAVAILABLE', `the pool ${pool} cannot enforce the wires: ${reason}`, {
    hint: `See what is missing with: sheaf pool show ${pool}`,
  });
}
