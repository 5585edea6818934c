import { canonicalJson, type Digest, digestOf } from '../../digest.ts';
import { readTar, type TarSource, writeTar } from '../../formats/tar.ts';
import type { ObjectKind, ObjectStates } from '../../model/step.ts';
import type { DeploymentIdentity } from '../driver.ts';
import type { DriverContext } from './context.ts';
import { statusOf } from './engine-api.ts';
import { recordsImage } from './images.ts';
import { labelsOf, objectName } from './labels.ts';
import { sweepProbes } from './probe.ts';

/** What is remembered of one object of a deployment. */
export type ObjectRecord<K extends ObjectKind = ObjectKind> = {
  readonly [Kind in K]: {
    readonly kind: Kind;
    readonly key: string;
    readonly generation: number;
    /** Of `state`; null from the first act on the object until the last one is done. */
    readonly fingerprint: Digest | null;
    readonly state: ObjectStates[Kind];
    /** Of an endpoint: its door's address in the deployment's network. */
    readonly door?: string;
    /** Of an instance: digest of the files that it was given last. */
    readonly files?: Digest;
  };
}[K];

/** All that is remembered of a deployment. */
export type Records = {
  readonly note: string | undefined;
  readonly objects: readonly ObjectRecord[];
};

const folder = 'records';
const noteName = 'note';
const mostBytes = 64 * 2 ** 20;

/** Gives the fingerprint of a desired state. */
export function fingerprintOf(state: ObjectStates[ObjectKind]): Digest {
  return digestOf(canonicalJson(state));
}

/** Names the container that keeps a deployment's records. */
export function recordsName(deployment: string): string {
  return objectName(deployment, 'records');
}

/**
 * Reads what is remembered of a deployment: files of a container that is never started, for labels cannot change.
 *
 * What a killed Engine left half written counts as not written.
 */
export async function readRecords(context: DriverContext, deployment: string): Promise<Records> {
  const archive = await context.api.getFiles(recordsName(deployment), `/${folder}`);
  const objects: ObjectRecord[] = [];
  let note: string | undefined;
  let bytes = 0;
  for await (const { entry, content } of archive ? readTar(archive) : []) {
    if (entry.type !== 'file' || entry.size === 0) continue;
    bytes += entry.size;
    if (bytes > mostBytes) break;
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    const text = Buffer.concat(parts).toString();
    if (entry.path === `${folder}/${noteName}`) note = text;
    else {
      const record = parse(text);
      if (record) objects.push(record);
    }
  }
  return { note, objects };
}

/** Finds one object's record. */
export function recordOf<K extends ObjectKind>(
  records: Records,
  kind: K,
  key: string,
): ObjectRecord<K> | undefined {
  return recordsOf(records, kind).find((one) => one.key === key);
}

/** Lists the records of one kind. */
export function recordsOf<K extends ObjectKind>(records: Records, kind: K): readonly ObjectRecord<K>[] {
  // a record of a kind has that kind's state
  return records.objects.filter(
    (one) => one.kind === kind,
  ) as readonly ObjectRecord[] as readonly ObjectRecord<K>[];
}

/** Writes an object's record. */
export async function writeRecord(
  context: DriverContext,
  deployment: DeploymentIdentity,
  record: ObjectRecord,
): Promise<void> {
  await writeText(context, deployment, fileOf(record.kind, record.key), JSON.stringify(record));
}

/** Takes an object's record away, and with the last thing that was remembered the container. */
export async function removeRecord(
  context: DriverContext,
  deployment: DeploymentIdentity,
  kind: ObjectKind,
  key: string,
): Promise<void> {
  await context.keeping(async () => {
    const records = await readRecords(context, deployment.id);
    if (recordOf(records, kind, key) === undefined) return;
    if (records.objects.length === 1 && records.note === undefined) {
      await sweepProbes(context);
      await context.api.removeContainer(recordsName(deployment.id));
    } else await put(context, deployment, fileOf(kind, key), '');
  });
}

/** Leaves the engine's text with a deployment; null takes it away. */
export async function leaveNote(
  context: DriverContext,
  deployment: DeploymentIdentity,
  text: string | null,
): Promise<void> {
  if (text !== null) {
    await writeText(context, deployment, noteName, text);
    return;
  }
  await context.keeping(async () => {
    const records = await readRecords(context, deployment.id);
    if (records.objects.length === 0) {
      await sweepProbes(context);
      await context.api.removeContainer(recordsName(deployment.id));
    } else if (records.note !== undefined) await put(context, deployment, noteName, '');
  });
}

async function writeText(
  context: DriverContext,
  deployment: DeploymentIdentity,
  name: string,
  text: string,
): Promise<void> {
  await context.keeping(() => put(context, deployment, name, text));
}

async function put(
  context: DriverContext,
  deployment: DeploymentIdentity,
  name: string,
  text: string,
): Promise<void> {
  const container = recordsName(deployment.id);
  const write = (): Promise<void> => context.api.putFiles(container, '/', archiveOf(name, text));
  try {
    await write();
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    const labels = labelsOf(context.home, deployment, {
      kind: 'records',
      key: 'records',
      generation: 0,
      role: 'records',
    });
    await context.api.createContainer(container, {
      Image: await recordsImage(context),
      Cmd: ['/never'],
      NetworkDisabled: true,
      Labels: labels,
    });
    await write();
  }
}

function archiveOf(name: string, text: string) {
  const content = Buffer.from(text);
  const common = { uid: 0, gid: 0, mtime: 0, target: '', attributes: {} };
  const entries: readonly TarSource[] = [
    { ...common, path: `${folder}/`, type: 'directory', mode: 0o700, size: 0 },
    { ...common, path: `${folder}/${name}`, type: 'file', mode: 0o600, size: content.length, content },
  ];
  return writeTar(entries);
}

function fileOf(kind: ObjectKind, key: string): string {
  return `${kind} ${key.replaceAll('/', '_')}.json`;
}

function parse(text: string): ObjectRecord | undefined {
  try {
    return JSON.parse(text) as ObjectRecord;
  } catch {
    return undefined;
  }
}
