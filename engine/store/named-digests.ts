import type { DatabaseSync } from 'node:sqlite';
import { type Digest, isDigest } from '../digest.ts';

/** Finds every digest that stands in a text. */
export function digestsIn(text: string): readonly Digest[] {
  return [...text.matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest).filter(isDigest);
}

/** Reads what recorded deployments are made of, as JSON texts: their inventories and decisions. */
export function deploymentTexts(database: DatabaseSync): readonly string[] {
  return [
    ...textsOf(database, 'SELECT state AS text FROM inventory'),
    ...textsOf(database, 'SELECT spec AS text FROM deployments'),
  ];
}

/** Reads what unfinished operations may still make, or go back to, as JSON texts. */
export function unfinishedTexts(database: DatabaseSync): readonly string[] {
  // those that an unfinished one took over may be undone with it
  const rows = `FROM operations WHERE state <> 'done' AND deployment IN
    (SELECT deployment FROM operations WHERE state IN ('running', 'failed', 'interrupted'))`;
  return [
    ...textsOf(database, `SELECT plan AS text ${rows}`),
    ...textsOf(database, `SELECT previous AS text ${rows}`),
  ];
}

function textsOf(database: DatabaseSync, query: string): readonly string[] {
  return database
    .prepare(query)
    .all()
    .map((row) => String(row['text'] ?? ''));
}
