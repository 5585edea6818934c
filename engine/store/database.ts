import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { EngineError } from '../errors.ts';
import { applicationId, migrations } from './schema.ts';
import { sqliteFailure } from './sqlite-failure.ts';

/** One row of an answer, by column. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

const busyTimeoutMs = 15_000;

/** A SQLite file of ours: right version, durable, and failures that say what they mean. */
export class Database {
  readonly #connection: DatabaseSync;
  readonly #file: string;
  readonly #statements = new Map<string, StatementSync>();

  /** Opens the file, made when absent with rights for its owner alone, and brings it to this program's version. */
  constructor(file: string) {
    this.#file = file;
    this.#connection = this.#guarded(() => openFile(file));
    try {
      this.transaction(() => this.#migrate());
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** Runs `body` as one transaction that nobody else's writing can come between; what it throws undoes everything. */
  transaction<T>(body: () => T): T {
    return this.#guarded(() => {
      this.#connection.exec('BEGIN IMMEDIATE');
      try {
        const result = body();
        this.#connection.exec('COMMIT');
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some failures, a full disk among them
        if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Runs a statement that changes something. @returns how many rows it changed */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guarded(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** Gives all rows of an answer. */
  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#guarded(() => this.#statement(sql).all(...values));
  }

  /** Gives the first row of an answer. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#statement(sql).get(...values));
  }

  close(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const made = this.#connection.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #migrate(): void {
    const version = Number(this.get('PRAGMA user_version')?.['user_version']);
    const owner = Number(this.get('PRAGMA application_id')?.['application_id']);
    const isFresh = version === 0 && owner === 0 && this.all('SELECT name FROM sqlite_schema').length === 0;
    if (!isFresh && owner !== applicationId) {
      throw new EngineError('STATE_CORRUPT', `${this.#file} is a database of another program`, {
        hint: 'Choose another home folder.',
      });
    }
    if (version > migrations.length) {
      throw new EngineError(
        'STATE_NEWER',
        `the state ${this.#file} has version ${version}; this program knows ${migrations.length}`,
        { hint: 'Use the newer program that wrote it.', details: { version, known: migrations.length } },
      );
    }
    for (const migration of migrations.slice(version)) this.#connection.exec(migration);
    this.#connection.exec(`PRAGMA application_id = ${applicationId}`);
    this.#connection.exec(`PRAGMA user_version = ${migrations.length}`);
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
  }
}

function openFile(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // SQLite gives the -wal and -shm files the rights of the main file, so these are set before it writes the first byte
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const connection = new DatabaseSync(file, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  try {
    connection.exec('PRAGMA journal_mode = WAL');
    connection.exec('PRAGMA synchronous = FULL');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}
