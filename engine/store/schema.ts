/** Marks the file as ours in SQLite's header: `Shea` in ASCII. */
export const applicationId = 0x53686561;

/**
 * The steps from each version of the database to the next; a file's version is the number of steps taken.
 *
 * Only ever appended to: files in the field were made by the earlier ones as they stand here. The JSON of plans, states
 * and decisions counts too: a program that writes it otherwise adds a step, so that an older one refuses the file.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE deployments (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, pool TEXT NOT NULL, generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL, spec TEXT NOT NULL, UNIQUE (owner, name)
  ) STRICT;
  CREATE TABLE leases (
    deployment TEXT PRIMARY KEY REFERENCES deployments ON DELETE CASCADE, epoch INTEGER NOT NULL,
    pid INTEGER, start_ticks INTEGER, boot_id TEXT
  ) STRICT;
  CREATE TABLE operations (
    id TEXT PRIMARY KEY, deployment TEXT NOT NULL REFERENCES deployments ON DELETE CASCADE, verb TEXT NOT NULL,
    state TEXT NOT NULL, generation INTEGER NOT NULL, resumes TEXT, previous TEXT, plan TEXT,
    started_at INTEGER NOT NULL, ended_at INTEGER, error TEXT
  ) STRICT;
  CREATE INDEX operations_by_deployment ON operations (deployment, generation);
  CREATE TABLE steps (
    operation TEXT NOT NULL REFERENCES operations ON DELETE CASCADE, id TEXT NOT NULL, position INTEGER NOT NULL,
    state TEXT NOT NULL, started_order INTEGER, result TEXT, PRIMARY KEY (operation, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE inventory (
    deployment TEXT NOT NULL REFERENCES deployments ON DELETE CASCADE, kind TEXT NOT NULL, key TEXT NOT NULL,
    state TEXT NOT NULL, generation INTEGER NOT NULL, is_settled INTEGER NOT NULL, PRIMARY KEY (deployment, kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE secrets (
    deployment TEXT NOT NULL REFERENCES deployments ON DELETE CASCADE, name TEXT NOT NULL, version INTEGER NOT NULL,
    operation TEXT NOT NULL, sealed TEXT NOT NULL, PRIMARY KEY (deployment, name, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE events (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, deployment TEXT NOT NULL, operation TEXT NOT NULL, kind TEXT NOT NULL,
    key TEXT NOT NULL, what TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_deployment ON events (deployment, id);
  CREATE TABLE refs (name TEXT PRIMARY KEY, digest TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // plans that remove data were written without the decision before; it shows in their steps
  `
  ALTER TABLE operations ADD COLUMN data TEXT;
  UPDATE operations SET data = CASE WHEN json_array_length(plan, '$.losesData') > 0 THEN 'delete' ELSE 'keep' END
    WHERE verb = 'down';
  `,
  // decisions may hold numbers of replicas, and steps wait for health; to a program that passes them over both are lost
  'SELECT 1;',
  // a deployment that is moved has two copies; a program that does not know it would let both work
  `
  CREATE TABLE moves (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, source_pool TEXT NOT NULL,
    target TEXT NOT NULL, target_pool TEXT NOT NULL, direction TEXT NOT NULL, phase TEXT NOT NULL,
    discards INTEGER NOT NULL, started_at INTEGER NOT NULL, committed_at INTEGER, confirm_by INTEGER, error TEXT,
    epoch INTEGER NOT NULL, pid INTEGER, start_ticks INTEGER, boot_id TEXT, UNIQUE (owner, name)
  ) STRICT;
  `,
  // inventories may hold snapshots, and decisions the version before; a program that passes them over would lose both
  'SELECT 1;',
];
