import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../errors.ts';
import type { Opening } from '../formats/age.ts';
import type { ListenAddress } from '../model/allocation.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { identityOf } from '../run/identity.ts';
import { recordedParts } from '../run/recorded-parts.ts';
import { asDescribed } from '../run/scaled.ts';
import { status } from '../run/status.ts';
import { loadVolume } from '../volumes/load-volume.ts';
import type { SavedEntry } from '../volumes/saved-entry.ts';
import { spoolIn } from '../volumes/spool.ts';
import { partNames, unreadable } from './archive.ts';
import type { BackupParts } from './back-up.ts';
import { BlockReader } from './block-reader.ts';
import { checkManifest } from './check-manifest.ts';
import { makeFilled } from './fill.ts';
import { type Archive, openArchive, unpackEntries } from './open-archive.ts';

/** Asks for a deployment as a backup has it. */
export type RestoreRequest = {
  readonly owner: string;
  /** Name of the new deployment. */
  readonly name: string;
  /** Absolute. */
  readonly file: string;
  /** Backups that it is based on, absolute, in any order. */
  readonly bases: readonly string[];
  readonly opening?: Opening;
  readonly expose: Readonly<Record<string, ListenAddress>>;
};

/**
 * Makes a deployment out of a backup, with identities and addresses of its own, beside whatever else there is.
 *
 * The backup is read and verified to its end before anything is made. The same call goes on after a kill.
 *
 * @returns the status when every instance is healthy
 * @throws EngineError BACKUP_UNREADABLE, BACKUP_LOCKED, BACKUP_INCOMPLETE, DISK_FULL, before anything is made; as `makeFilled`
 */
export async function restore(
  context: RunContext,
  parts: BackupParts,
  request: RestoreRequest,
): Promise<DeploymentStatus> {
  const { signal } = context;
  const { file, opening, owner, name, expose } = request;
  const scratch = join(parts.scratch, randomUUID());
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const opened: Archive[] = [];
  try {
    const open = async (one: string): Promise<Archive> => {
      const archive = await openArchive(one, { opening, scratch, wantsData: true, signal });
      opened.push(archive);
      return archive;
    };
    const archive = await open(file);
    checkManifest(archive);
    const others: Archive[] = [];
    for (const base of request.bases) others.push(await open(base));
    const chain = archive.manifest.bases.map((id) => {
      const base = others.find((one) => one.id === id);
      if (base) return base;
      throw new EngineError('BACKUP_INCOMPLETE', `${file} holds only what has changed since another backup`, {
        hint: 'Name that one too, with --base FILE, and those that it is based on itself.',
        details: { missing: id },
      });
    });
    await storeBlobs(archive, parts);
    const { blueprint, inputs, instances } = archive.manifest;
    const own = recordedParts(blueprint, instances, name);
    await requireStored(archive, parts);
    const reader = new BlockReader([archive, ...chain]);
    const scale = inputs.scale ?? {};
    try {
      await makeFilled(
        context,
        {
          request: {
            owner,
            name,
            blueprint: asDescribed(blueprint, scale),
            inputs: { set: inputs.set, expose, ...(inputs.scale && { scale }) },
          },
          parts: own,
          secrets: archive.secrets,
          filling: { from: 'backup', id: archive.id },
        },
        async (record) => await fillVolumes(context, record, { archive, reader, scratch }),
      );
    } finally {
      await reader.close();
    }
    return await status(context, owner, name);
  } finally {
    for (const one of opened) await one.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Stores the blobs that are in a backup: templates, and where they are, images. */
async function storeBlobs(archive: Archive, { blobs }: BackupParts): Promise<void> {
  for (const digest of archive.blobs) {
    if (await blobs.has(digest)) continue;
    const stored = await blobs.writeStream(createReadStream(archive.path(partNames.blob(digest))));
    if (stored.digest !== digest) throw unreadable(archive.file, `the blob ${digest} has other bytes`);
  }
}

async function requireStored({ manifest, file }: Archive, { blobs }: BackupParts): Promise<void> {
  for (const { state } of manifest.instances) {
    for (const digest of [state.kit, ...state.layers.map((layer) => layer.digest)]) {
      if (await blobs.has(digest)) continue;
      throw new EngineError('BACKUP_INCOMPLETE', `the image of ${state.appliance} is not stored here`, {
        hint: `It is not in ${file} either: make the backup with --with-images, or build it here as it was.`,
        details: { digest },
      });
    }
  }
}

async function fillVolumes(
  { driver, report, signal }: RunContext,
  record: DeploymentRecord,
  {
    archive,
    reader,
    scratch,
  }: { readonly archive: Archive; readonly reader: BlockReader; readonly scratch: string },
): Promise<void> {
  const keys = new Map(archive.manifest.volumes.map(({ key, marksKey }) => [key, marksKey]));
  for (const { key, entries } of archive.index.volumes) {
    const marksKey = keys.get(key);
    if (marksKey === undefined) throw unreadable(archive.file, 'it is contradictory');
    const file = join(scratch, `${randomUUID()}.entries`);
    await unpackEntries(archive, entries, file);
    const saved = spoolIn<SavedEntry>(file);
    const told = { type: 'copy', deployment: record.name, volume: key, pass: 1, isLast: false } as const;
    const target = await driver.openVolume(identityOf(record), key, signal);
    let bytes = 0;
    try {
      report({ ...told, state: 'started', bytes });
      await loadVolume({
        entries: saved,
        key: marksKey,
        readBlock: async (block) => await reader.read(block),
        target,
        volume: key,
        scratch,
        progress: (written) => {
          bytes = written;
          report({ ...told, state: 'progress', bytes });
        },
      });
      report({ ...told, state: 'done', bytes });
    } finally {
      await target.close();
      await saved.remove();
    }
  }
}
