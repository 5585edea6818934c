import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress } from 'node:zlib';
import { canonicalJson, type Digest, isDigest } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import type { Opening, Sealing } from '../formats/age.ts';
import type { Blobs } from '../model/blob.ts';
import type { DeploymentRecord, Recorded } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { identityOf } from '../run/identity.ts';
import { deploymentMissing } from '../run/status.ts';
import { PackWriter } from '../volumes/pack-writer.ts';
import { type SavedVolume, saveVolume } from '../volumes/save-volume.ts';
import type { SavedEntry } from '../volumes/saved-entry.ts';
import { type Spool, spool, spoolIn } from '../volumes/spool.ts';
import { type BackupManifest, partNames } from './archive.ts';
import { ArchiveWriter } from './archive-writer.ts';
import { type Archive, openArchive, unpackEntries } from './open-archive.ts';
import { dataHolders, whileQuiet } from './quiet.ts';
import { openSecrets, requireRunning } from './source.ts';

/** Asks for a backup of a deployment. */
export type BackUpRequest = {
  readonly owner: string;
  readonly name: string;
  /** Absolute; replaced when the backup is whole. */
  readonly file: string;
  /** Demanded when the deployment has secrets. */
  readonly sealing?: Sealing;
  /** An earlier backup of it: what is in that is not written again. */
  readonly base?: { readonly file: string; readonly opening?: Opening };
  /** Puts in what it runs from, so that it can be restored where nothing of it is stored. */
  readonly withImages: boolean;
};

/** What a backup holds. */
export type BackUpAnswer = {
  readonly file: string;
  readonly id: Digest;
  readonly bytes: number;
  /** Of all files in all volumes. */
  readonly dataBytes: number;
  readonly files: number;
  readonly isEncrypted: boolean;
  readonly hasImages: boolean;
};

/** What backups and restores work with beside what every operation has. */
export type BackupParts = {
  readonly blobs: Blobs;
  /** Folder of this process for what is not finished. */
  readonly scratch: string;
};

/**
 * Writes a deployment with its data and secrets into a file, while it runs.
 *
 * Data are read twice: while everybody works, and then, with the services standing still, what was changed meanwhile.
 *
 * @throws EngineError DEPLOYMENT_MISSING; INPUT_REFUSED when it does not run, or has secrets and nothing to encrypt them with;
 *   VOLUME_UNUSABLE, VOLUME_BUSY, DISK_FULL; DEPLOYMENT_BUSY when it was changed meanwhile; of a base as `openArchive`
 */
export async function backUp(
  context: RunContext,
  parts: BackupParts,
  request: BackUpRequest,
): Promise<BackUpAnswer> {
  const { store, signal, clock } = context;
  const record = await store.deployment(request.owner, request.name);
  if (!record) throw deploymentMissing(request.name);
  await requireRunning(context, request);
  const inventory = await store.inventory(record.id);
  const holders = dataHolders(record, inventory);
  const secrets = await openSecrets(context, record);
  requireSealing(request, secrets);
  const scratch = join(parts.scratch, crypto.randomUUID());
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  await mkdir(dirname(request.file), { recursive: true });
  const writer = new ArchiveWriter(request.file, request.sealing, signal);
  let base: Archive | undefined;
  try {
    if (request.base) {
      const { file, opening } = request.base;
      base = await openArchive(file, { opening, scratch, wantsData: false, signal });
      requireSame(base, record);
    }
    const keys = holders.flatMap(({ volumes }) => volumes);
    const known = new Map(base?.manifest.volumes.map(({ key, marksKey }) => [key, marksKey]));
    const manifest: BackupManifest = {
      kind: 'DeploymentBackup',
      format: 1,
      createdAt: clock(),
      name: record.name,
      blueprint: record.spec.blueprint,
      inputs: {
        set: record.spec.inputs.set,
        ...(record.spec.inputs.scale && { scale: record.spec.inputs.scale }),
      },
      instances: inventory.flatMap((one) => (one.kind === 'instance' ? [one] : [])),
      bases: base ? [base.id, ...base.manifest.bases] : [],
      volumes: keys.map((key) => ({ key, marksKey: known.get(key) ?? randomBytes(32).toString('hex') })),
    };
    const digest = await addText(writer, partNames.manifest, canonicalJson(manifest));
    if (secrets.size > 0)
      await addText(writer, partNames.secrets, canonicalJson(Object.fromEntries(secrets)));
    const packs = new PackWriter(async (pack, content) => {
      await writer.add(partNames.pack(pack), content, content.length);
    });
    const save = async (
      pass: number,
      before: ReadonlyMap<string, SavedVolume>,
    ): Promise<ReadonlyMap<string, SavedVolume>> => {
      const saved = new Map<string, SavedVolume>();
      for (const { key, marksKey } of manifest.volumes)
        saved.set(
          key,
          await saveOne(context, record, { key, marksKey, pass, before: before.get(key), packs, scratch }),
        );
      return saved;
    };
    const first = await save(1, base ? await volumesOf(base, scratch) : new Map());
    const saved = await whileQuiet(context, record, holders, async () => await save(0, first));
    await packs.flush();
    await addBlobs(writer, parts.blobs, inventory, manifest, request.withImages);
    const volumes = [];
    let [files, dataBytes] = [0, 0];
    for (const [number, key] of keys.entries()) {
      const volume = saved.get(key);
      if (volume === undefined) continue;
      for await (const entry of volume.entries.items()) {
        if (entry.kind === 'file') files += 1;
        if (entry.blocks !== undefined) dataBytes += entry.size;
      }
      const path = partNames.entries(number);
      await addEntries(writer, path, volume.entries, scratch);
      volumes.push({ key, entries: path, youngest: String(volume.youngest) });
    }
    const now = await store.deployment(request.owner, request.name);
    if (now?.generation !== record.generation)
      throw new EngineError('DEPLOYMENT_BUSY', `${record.name} was changed while it was backed up`, {
        hint: 'Run it again.',
      });
    const { id, bytes } = await writer.finish(digest, volumes);
    const isEncrypted = request.sealing !== undefined;
    return { file: request.file, id, bytes, dataBytes, files, isEncrypted, hasImages: request.withImages };
  } catch (cause) {
    throw orDiskFull(cause, dirname(request.file));
  } finally {
    await writer.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

function requireSealing({ name, sealing }: BackUpRequest, secrets: ReadonlyMap<string, string>): void {
  if (secrets.size === 0 || sealing) return;
  throw new EngineError('INPUT_REFUSED', `${name} has secrets, so its backup must be encrypted`, {
    hint: 'Give --passphrase-file FILE, or --recipient with a public key of age.',
  });
}

function requireSame({ manifest, file }: Archive, { name, spec }: DeploymentRecord): void {
  if (manifest.name === name && manifest.blueprint.application.name === spec.blueprint.application.name)
    return;
  throw new EngineError('INPUT_REFUSED', `${file} is a backup of ${manifest.name}, not of ${name}`, {
    hint: 'Leave --base out.',
  });
}

/** Gives the volumes of an earlier backup, whose blocks lie one archive further from here. */
async function volumesOf(base: Archive, scratch: string): Promise<ReadonlyMap<string, SavedVolume>> {
  const volumes = new Map<string, SavedVolume>();
  for (const { key, entries, youngest } of base.index.volumes) {
    const file = join(scratch, `${crypto.randomUUID()}.base`);
    await unpackEntries(base, entries, file);
    const own = spoolIn<SavedEntry>(file);
    const shifted = await spool(scratch, shift(own));
    await own.remove();
    volumes.set(key, { entries: shifted, youngest: BigInt(youngest) });
  }
  return volumes;
}

async function* shift(entries: Spool<SavedEntry>): AsyncGenerator<SavedEntry> {
  for await (const entry of entries.items()) {
    const blocks = entry.blocks?.map((block) => block && { ...block, archive: block.archive + 1 });
    yield { ...entry, ...(blocks && { blocks }) };
  }
}

async function saveOne(
  { driver, report, signal }: RunContext,
  record: DeploymentRecord,
  one: {
    readonly key: string;
    readonly marksKey: string;
    readonly pass: number;
    readonly before: SavedVolume | undefined;
    readonly packs: PackWriter;
    readonly scratch: string;
  },
): Promise<SavedVolume> {
  const { key, pass, before, packs, scratch } = one;
  const told = { type: 'copy', deployment: record.name, volume: key, pass, isLast: pass === 0 } as const;
  const volume = await driver.openVolume(identityOf(record), key, signal);
  let bytes = 0;
  try {
    report({ ...told, state: 'started', bytes });
    const progress = (read: number): void => {
      bytes = read;
      report({ ...told, state: 'progress', bytes });
    };
    const previous = before && { previous: before };
    const saved = await saveVolume({ volume, key: one.marksKey, ...previous, packs, scratch, progress });
    report({ ...told, state: 'done', bytes });
    return saved;
  } finally {
    await volume.close();
  }
}

async function addText(writer: ArchiveWriter, path: string, text: string): Promise<Digest> {
  const bytes = Buffer.from(text);
  return await writer.add(path, bytes, bytes.length);
}

async function addEntries(
  writer: ArchiveWriter,
  path: string,
  entries: Spool<SavedEntry>,
  scratch: string,
): Promise<void> {
  const file = join(scratch, `${crypto.randomUUID()}.zst`);
  await pipeline(
    createReadStream(entries.file),
    createZstdCompress(),
    createWriteStream(file, { mode: 0o600 }),
  );
  await writer.add(path, createReadStream(file), (await stat(file)).size);
}

/** Adds the templates, and with images all that instances run from. */
async function addBlobs(
  writer: ArchiveWriter,
  blobs: Blobs,
  inventory: readonly Recorded[],
  { blueprint }: BackupManifest,
  withImages: boolean,
): Promise<void> {
  const needed = new Set<Digest>();
  for (const { files } of blueprint.appliances) for (const { template } of files) needed.add(template);
  for (const one of withImages ? inventory : []) {
    if (one.kind !== 'image') continue;
    for (const { digest } of one.state.layers) needed.add(digest);
    needed.add(one.state.kit);
    const kit = Buffer.from(await blobs.read(one.state.kit)).toString();
    for (const [digest] of kit.matchAll(/sha256:[0-9a-f]{64}/g))
      if (isDigest(digest) && (await blobs.has(digest))) needed.add(digest);
  }
  for (const digest of [...needed].toSorted()) {
    const size = await blobs.size(digest);
    if (size === undefined)
      throw new EngineError(
        'BACKUP_INCOMPLETE',
        `${digest}, which the deployment runs from, is not stored here`,
        {
          hint: 'Run `up` with its source, which makes it again.',
        },
      );
    await writer.add(partNames.blob(digest), blobs.open(digest), size);
  }
}
