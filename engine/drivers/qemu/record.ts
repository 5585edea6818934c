import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonicalJson, type Digest, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import type { ObjectKind, ObjectStates } from '../../model/step.ts';
import type { ProcessIdentity } from '../../process-identity.ts';
import { systemCode } from '../../system-code.ts';
import { removeEmptyFolders, writeWhole } from '../../whole-file.ts';
import { kindFolder, type Layout, objectPath } from './layout.ts';

/** What is remembered of one object of a deployment, in an owner-only file of its own. */
export type ObjectRecord<K extends ObjectKind = ObjectKind> = {
  readonly [Kind in K]: {
    readonly kind: Kind;
    readonly key: string;
    readonly generation: number;
    readonly owner: string;
    readonly blueprint: Digest;
    /** Of `state`; null from the first act on the object until the last one is done. */
    readonly fingerprint: Digest | null;
    readonly state: ObjectStates[Kind];
    /** The process that does the object's work, for instances and endpoints that were started. */
    readonly process?: ProcessIdentity;
  };
}[K];

/** Gives the fingerprint of a desired state. */
export function fingerprintOf(state: ObjectStates[ObjectKind]): Digest {
  return digestOf(canonicalJson(state));
}

/** Reads an object's record. @throws EngineError STATE_CORRUPT when it is not one */
export async function readRecord<K extends ObjectKind>(
  layout: Layout,
  deployment: string,
  kind: K,
  key: string,
): Promise<ObjectRecord<K> | undefined> {
  const path = objectPath(layout, deployment, kind, key, '.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    // written by us alone, into a folder that nobody else may enter
    return JSON.parse(text) as ObjectRecord<K>;
  } catch (cause) {
    throw new EngineError('STATE_CORRUPT', `${path} is not a record`, {
      hint: 'Remove the file and run the same command again.',
      cause,
    });
  }
}

/** Lists a deployment's records of one kind, by key. */
export async function listRecords<K extends ObjectKind>(
  layout: Layout,
  deployment: string,
  kind: K,
): Promise<readonly ObjectRecord<K>[]> {
  const names = await listFolder(kindFolder(layout, deployment, kind));
  const keys = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  const records = await Promise.all(
    keys.toSorted().map((key) => readRecord(layout, deployment, kind, decodeURIComponent(key))),
  );
  return records.filter((record) => record !== undefined);
}

/** Writes an object's record lastingly, and its copy after it. */
export async function writeRecord(layout: Layout, deployment: string, record: ObjectRecord): Promise<void> {
  for (const place of [layout, copiesOf(layout)]) {
    const path = objectPath(place, deployment, record.kind, record.key, '.json');
    await writeWhole(path, `${JSON.stringify(record)}\n`);
  }
}

/** Forgets an object, and its deployment's folder when it was the last one. The copy goes first: it never outlives its original. */
export async function removeRecord(
  layout: Layout,
  deployment: string,
  kind: ObjectKind,
  key: string,
): Promise<void> {
  for (const place of [copiesOf(layout), layout]) {
    const path = objectPath(place, deployment, kind, key, '.json');
    await rm(path, { force: true });
    await rm(`${path}.new`, { force: true });
    await removeEmptyFolders(kindFolder(place, deployment, kind), place.deployments);
  }
  await removeEmptyFolders(layout.copies, dirname(layout.runtime));
}

/** Gives the layout by which the copies of the records are read and written. */
export function copiesOf(layout: Layout): Layout {
  return { ...layout, deployments: layout.copies };
}

/** Lists a folder's names; one that does not exist has none. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
