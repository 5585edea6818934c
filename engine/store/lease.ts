import { EngineError } from '../errors.ts';
import type { BeginRequest, Lease, LeaseHolder } from '../model/store.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import type { Database, Row } from './database.ts';
import { integer, optional, text } from './rows.ts';

/** Reads who holds a deployment; `holder` is null when nobody does. */
export function leaseHolderOf(database: Database, deployment: string): LeaseHolder | undefined {
  const row = database.get('SELECT * FROM leases WHERE deployment = ?', deployment);
  return row && { epoch: integer(row, 'epoch'), holder: holderOf(row) };
}

/**
 * Gives a deployment to a process.
 *
 * A holder that no longer runs is succeeded at once: processes are known by number, start and boot, so there is
 * nothing to wait for. The epoch rises at every change of hands.
 *
 * @throws EngineError DEPLOYMENT_BUSY
 */
export function takeLease(database: Database, deployment: string, request: BeginRequest): Lease {
  const held = leaseHolderOf(database, deployment);
  if (held?.holder && request.isAlive(held.holder)) {
    throw new EngineError(
      'DEPLOYMENT_BUSY',
      `${request.name} is being changed by process ${held.holder.pid}`,
      {
        hint: 'Wait until it has finished, or stop it with Ctrl-C.',
        details: { pid: held.holder.pid },
      },
    );
  }
  const epoch = (held?.epoch ?? 0) + 1;
  const { pid, startTicks, bootId } = request.holder;
  database.run(
    'INSERT OR REPLACE INTO leases (deployment, epoch, pid, start_ticks, boot_id) VALUES (?, ?, ?, ?, ?)',
    deployment,
    epoch,
    pid,
    startTicks,
    bootId,
  );
  return { deployment, epoch };
}

/** Refuses whoever is no longer the holder. @throws EngineError LEASE_LOST */
export function checkLease(database: Database, lease: Lease): void {
  const held = leaseHolderOf(database, lease.deployment);
  if (held?.epoch === lease.epoch && held.holder) return;
  throw new EngineError('LEASE_LOST', 'another process took this deployment over', {
    hint: 'See what it does with `sheaf status`.',
    details: { epoch: lease.epoch, now: held?.epoch ?? null },
  });
}

/** Gives a deployment back; the epoch stays, so that it never falls. */
export function releaseLease(database: Database, deployment: string): void {
  database.run(
    'UPDATE leases SET pid = NULL, start_ticks = NULL, boot_id = NULL WHERE deployment = ?',
    deployment,
  );
}

/** Reads the columns that name a process; null when nobody is named. */
export function holderOf(row: Row): ProcessIdentity | null {
  const pid = optional(row, 'pid', integer);
  if (pid === null) return null;
  return { pid, startTicks: integer(row, 'start_ticks'), bootId: text(row, 'boot_id') };
}
