import { type Digest, isDigest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Refs } from '../model/blob.ts';
import type { Database } from './database.ts';
import { text } from './rows.ts';

/** Opens the table of names for digests. */
export function refsOf(database: Database): Refs {
  return {
    get(name: string): Digest | undefined {
      const row = database.get('SELECT digest FROM refs WHERE name = ?', name);
      if (!row) return undefined;
      const digest = text(row, 'digest');
      if (isDigest(digest)) return digest;
      throw new EngineError('STATE_CORRUPT', `the recorded name ${name} leads to no digest`, {
        hint: 'Restore the state from a backup.',
      });
    },
    set(name: string, digest: Digest): void {
      database.run('INSERT OR REPLACE INTO refs (name, digest) VALUES (?, ?)', name, digest);
    },
  };
}
