import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ObjectKind, objectKinds } from '../../model/step.ts';
import type { Recorded } from '../../model/store.ts';
import { systemCode } from '../../system-code.ts';
import { removeEmptyFolders, writeWhole } from '../../whole-file.ts';
import type { FoundDeployment } from '../driver.ts';
import type { Layout } from './layout.ts';
import { copiesOf, listFolder, listRecords, type ObjectRecord, writeRecord } from './record.ts';

/**
 * Lists the deployments of which anything is recorded, in the home or in the runtime folder.
 *
 * The runtime folder has a second copy of every record: whoever loses the home has not lost the machines that run.
 */
export async function findDeployments(layout: Layout): Promise<readonly FoundDeployment[]> {
  const names = [...(await listFolder(layout.deployments)), ...(await listFolder(layout.copies))];
  const ids = [...new Set(names)].filter((name) => /^[a-z][a-z0-9]{11}$/.test(name)).toSorted();
  const found = await Promise.all(ids.map((id) => findDeployment(layout, id)));
  return found.filter(({ note, objects }) => note !== undefined || objects.length > 0);
}

/** Puts back into the home what only the runtime folder knows of a deployment. */
export async function restoreRecords(layout: Layout, deployment: string): Promise<void> {
  for (const record of await allRecords(layout, deployment)) await writeRecord(layout, deployment, record);
  const note = await readNote(layout, deployment);
  if (note !== undefined) await leaveNote(layout, deployment, note);
}

/**
 * Leaves the engine's text with a deployment; null takes it away.
 *
 * Every operation does so, which is when copies are made again that went with the runtime folder at a restart.
 */
export async function leaveNote(layout: Layout, deployment: string, text: string | null): Promise<void> {
  if (text !== null) await copyRecords(layout, deployment);
  for (const path of notePaths(layout, deployment).toReversed()) {
    if (text !== null) {
      await writeWhole(path, text);
      continue;
    }
    await rm(path, { force: true });
    await rm(`${path}.new`, { force: true });
  }
  if (text !== null) return;
  await removeEmptyFolders(join(layout.deployments, deployment), layout.deployments);
  await removeEmptyFolders(join(layout.copies, deployment), dirname(layout.runtime));
}

async function copyRecords(layout: Layout, deployment: string): Promise<void> {
  for (const kind of objectKinds) {
    const copied = new Set(
      (await listRecords<ObjectKind>(copiesOf(layout), deployment, kind)).map(({ key }) => key),
    );
    for (const record of await listRecords<ObjectKind>(layout, deployment, kind))
      if (!copied.has(record.key)) await writeRecord(layout, deployment, record);
  }
}

async function findDeployment(layout: Layout, id: string): Promise<FoundDeployment> {
  const records = await allRecords(layout, id);
  return {
    id,
    note: await readNote(layout, id),
    objects: records.map(
      ({ kind, key, state, generation, fingerprint }) =>
        // a record's state is of the record's kind
        ({ kind, key, state, generation, isSettled: fingerprint !== null }) as Recorded,
    ),
  };
}

/** Gives each object's record; where there are two, the one of the home, which is written first. */
async function allRecords(layout: Layout, deployment: string): Promise<readonly ObjectRecord[]> {
  const records = new Map<string, ObjectRecord>();
  for (const kind of objectKinds)
    for (const place of [copiesOf(layout), layout])
      for (const record of await listRecords<ObjectKind>(place, deployment, kind))
        records.set(`${kind} ${record.key}`, record);
  return [...records.values()];
}

async function readNote(layout: Layout, deployment: string): Promise<string | undefined> {
  for (const path of notePaths(layout, deployment)) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

/** In the order in which they are believed. */
function notePaths(layout: Layout, deployment: string): readonly string[] {
  return [layout.deployments, layout.copies].map((folder) => join(folder, deployment, 'note.json'));
}
