import { spawn } from 'node:child_process';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline as pipe } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { missingTool, toolPath } from '../../command.ts';
import type { Digest } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { layerForOverlay, layersAsOne } from '../../formats/layer.ts';
import { layerUnpacker } from '../../formats/layer-unpacker.ts';
import { readDiskHeader } from '../../formats/qcow2.ts';
import type { Descriptor } from '../../model/blob.ts';
import { diskMediaType } from '../../model/disk-image.ts';
import { systemCode } from '../../system-code.ts';
import { makeFolder, settle } from '../../whole-file.ts';
import type { DriverContext } from './context.ts';
import type { DiskSource } from './disk-source.ts';
import { diskPath } from './layout.ts';
import { markUsed } from './prune.ts';
import { takeBack, withoutRights } from './without-rights.ts';

/**
 * Makes the read-only disk of image layers, once for all deployments.
 *
 * Another process that makes the same disk at the same time makes the same bytes; the later rename wins.
 *
 * A whole disk is used as it lies in the store.
 *
 * @returns the squashfs file
 * @throws EngineError BLOB_CORRUPT when a layer is not what its digest says or holds what no image may
 */
export async function ensureDisk(
  context: DriverContext,
  source: DiskSource,
  signal: AbortSignal,
): Promise<string> {
  const { digest } = source;
  if (isDisk(source)) {
    await soundDisk(context, digest);
    return context.blobs.path(digest);
  }
  const path = diskPath(context.layout, digest);
  if (await exists(path)) {
    await markUsed(path);
    return path;
  }
  // images that are made ready at the same time share their base
  const making =
    context.disksInMaking.get(digest) ??
    context
      .heavy(() => makeDisk(context, source, path, signal))
      .finally(() => context.disksInMaking.delete(digest));
  context.disksInMaking.set(digest, making);
  return await making;
}

function isDisk({ layers }: DiskSource): boolean {
  return layers[0].mediaType === diskMediaType;
}

async function makeDisk(
  context: DriverContext,
  source: DiskSource,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const draft = join(context.drafts, `${source.digest.slice('sha256:'.length)}.squashfs`);
  try {
    await packLayers(context, source, draft, signal);
    await settle(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  return path;
}

/** Tells whether a path leads to a file. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Tells whether a disk is there. */
export async function hasDisk(context: DriverContext, source: DiskSource): Promise<boolean> {
  if (isDisk(source)) return await context.blobs.has(source.digest);
  return await exists(diskPath(context.layout, source.digest));
}

/** Makes sure that a stored disk leads to no other file. @returns bytes, as a guest sees them */
export async function soundDisk({ blobs }: Pick<DriverContext, 'blobs'>, digest: Digest): Promise<number> {
  const header = (await blobs.has(digest)) ? await readDiskHeader(blobs.path(digest)) : undefined;
  if (header?.format === 'qcow2' && header.refusal === undefined) return header.sizeBytes;
  throw new EngineError('BLOB_CORRUPT', `the blob ${digest} is no disk that stands alone`, {
    hint: 'Build or pull the image again.',
    details: { digest },
  });
}

async function packLayers(
  context: DriverContext,
  source: DiskSource,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  await makeFolder(context.layout.disks);
  // squashfs-tools: lz4 costs a guest without KVM the least to read, and us the least to write
  const squash = ['-comp', 'lz4', '-quiet', '-no-progress', '-force']; // into the file that it is lent
  // version 4.5 leaves the root to whoever runs it; in the guest it is hidden by the writable layer's
  const root = [
    '-root-mode',
    '0755',
    '-root-uid',
    '0',
    '-root-gid',
    '0',
    '-root-time',
    '0',
    '-mkfs-time',
    '0',
  ];
  await writeFile(target, '', { mode: 0o600 });
  const disk = { DISK: { path: target, isWritable: true } };
  const command = await withoutRights(disk, ['exec', 'sqfstar', ...squash, ...root, '"$DISK"'].join(' '));
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    env: { PATH: toolPath(), LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true, // a Ctrl-C in the terminal is for us alone
    signal,
    killSignal: 'SIGKILL',
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2000);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  let broken: unknown;
  try {
    await pipeline(
      source.isWhole
        ? layersAsOne(source.layers.map((layer) => () => openLayer(context, layer)))
        : layerForOverlay(() => openLayer(context, source.layers[0])),
      child.stdin,
      { signal },
    );
  } catch (error) {
    broken = error;
    child.kill('SIGKILL');
  }
  const code = await ended;
  await takeBack(target);
  if (code === 0 && broken === undefined) return;
  throw failedDisk(source, code, said, broken, signal);
}

function openLayer(context: DriverContext, layer: Descriptor): AsyncIterable<Uint8Array> {
  const unpacker = layerUnpacker(layer.mediaType);
  pipe(context.blobs.open(layer.digest), unpacker, () => undefined); // a failure is seen where the layer is read
  return unpacker;
}

function failedDisk(
  { layers }: DiskSource,
  code: number | null,
  said: string,
  broken: unknown,
  signal: AbortSignal,
): unknown {
  if (signal.aborted) return new EngineError('OPERATION_INTERRUPTED', 'making a disk was stopped on request');
  if (/failed to execute .*No such file|sqfstar: not found/.test(said)) return missingTool('sqfstar');
  if (broken instanceof EngineError) return broken;
  const isFull = /No space left on device/i.test(said);
  const lines = said.trim().split('\n').slice(-3).join('\n');
  return new EngineError(isFull ? 'DISK_FULL' : 'TOOL_FAILED', `sqfstar ended with ${code}: ${lines}`, {
    details: { tool: 'sqfstar', layers: layers.map(({ digest }) => digest) },
    cause: broken,
    ...(isFull && { hint: 'Free some space and run the same command again.' }),
  });
}
