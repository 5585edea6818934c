import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { EngineError } from '../../engine/errors.ts';

const patienceMs = 60_000;
const pollMs = 50;

/**
 * Runs an act while no other process works in the same folder.
 *
 * The lock is SQLite's on an empty database: the kernel lets go of it when its holder dies, however it dies.
 *
 * @throws EngineError CATALOG_BUSY after a minute
 */
export async function withFolderLock<T>(
  folder: string,
  act: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const database = new DatabaseSync(join(folder, 'lock.db'));
  try {
    database.exec('PRAGMA busy_timeout = 0');
    for (let waited = 0; !tryLock(database); waited += pollMs) {
      if (waited >= patienceMs)
        throw new EngineError('CATALOG_BUSY', `another process holds the catalog ${folder}`, {
          hint: 'Run the same command again when it is done.',
        });
      await pause(pollMs, undefined, { signal }).catch(() => {
        throw new EngineError(
          'OPERATION_INTERRUPTED',
          `waiting for the catalog ${folder} was stopped on request`,
        );
      });
    }
    return await act();
  } finally {
    database.close();
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && /database is locked/.test(error.message)) return false;
    throw error;
  }
}
