import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from '../command.ts';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import { readDiskHeader } from '../formats/qcow2.ts';
import type { Descriptor } from '../model/blob.ts';
import { diskMediaType } from '../model/disk-image.ts';
import { openProcessFolder } from '../process-folder.ts';
import { formatSize } from '../units.ts';
import type { BuildContext } from './context.ts';
import { storeImage } from './image-manifest.ts';
import { type LoadedImage, loadImage } from './load-image.ts';

/** A whole disk that an appliance brings. */
export type DiskRequest = {
  readonly name: string;
  readonly version: string;
  /** On this machine. */
  readonly file: string;
  /** Of the file, as it was read. */
  readonly digest: Digest;
};

// raised whenever the same file shall give another image than before
const recipe = 1;
const largestDisk = 2 * 2 ** 40;
const copyTimeoutMs = 3_600_000;

/** Gives the image of a disk when it is stored whole; copies nothing. */
export async function findDisk(
  request: DiskRequest,
  { blobs, refs }: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<LoadedImage | undefined> {
  const digest = refs.get(refOf(request));
  if (digest === undefined) return undefined;
  try {
    return await loadImage(digest, blobs);
  } catch (error) {
    // what was removed or damaged behind our back is copied again
    if (error instanceof EngineError && ['IMAGE_MISSING', 'BLOB_CORRUPT'].includes(error.code))
      return undefined;
    throw error;
  }
}

/**
 * Copies a whole disk into the store, as an image of one layer. A raw disk becomes a qcow2, which holds no empty space.
 *
 * @throws EngineError IMAGE_FAILED when the file leads to others, is of another format or too large, or has changed since
 *   it was read; DISK_FULL, TOOL_MISSING
 */
export async function importDisk(request: DiskRequest, context: BuildContext): Promise<LoadedImage> {
  const { file, name, version } = request;
  const { blobs, refs, report, signal } = context;
  const subject = `${name}@${version}`;
  report({ type: 'build', subject, state: 'started', message: file });
  const work = await mkdtemp(join(await openProcessFolder(context.scratch), 'disk-'));
  try {
    // a copy of ours: the file may change between the look at it and the use of it
    const copy = join(work, 'disk');
    await runCommand('cp', ['--sparse=always', '--reflink=auto', '--', file, copy], {
      signal,
      timeoutMs: copyTimeoutMs,
    });
    if ((await digestOfFile(copy, signal)) !== request.digest) throw changed(file);
    const whole = (await isRaw(copy, file)) ? await converted(copy, signal) : copy;
    const content = createReadStream(whole, { signal });
    const disk: Descriptor = { mediaType: diskMediaType, ...(await blobs.writeStream(content)) };
    const manifest = await storeImage(
      { name, version, layers: [{ layer: disk, diffId: disk.digest, origin: 'whole disk' }], packages: [] },
      blobs,
    );
    refs.set(refOf(request), manifest.digest);
    report({ type: 'build', subject, state: 'done', message: manifest.digest });
    return await loadImage(manifest.digest, blobs);
  } catch (error) {
    throw signal.aborted
      ? new EngineError('OPERATION_INTERRUPTED', `copying the disk of ${subject} was stopped on request`, {
          cause: error,
        })
      : orDiskFull(error, work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function isRaw(path: string, file: string): Promise<boolean> {
  const header = await readDiskHeader(path);
  if (header.format === 'foreign')
    throw unfit(file, `is of the format ${header.name}`, 'Convert it with qemu-img convert -O qcow2.');
  if (header.format === 'qcow2' && header.refusal !== undefined)
    throw unfit(file, header.refusal, 'Make it whole with qemu-img convert -O qcow2, if it is yours.');
  if (header.sizeBytes > largestDisk || header.sizeBytes < 512)
    throw unfit(file, `has ${header.sizeBytes} bytes`, `A disk has 512 bytes to ${formatSize(largestDisk)}.`);
  return header.format === 'raw';
}

async function converted(raw: string, signal: AbortSignal): Promise<string> {
  const target = `${raw}.qcow2`;
  await runCommand('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, target], {
    signal,
    timeoutMs: copyTimeoutMs,
  });
  return target;
}

async function digestOfFile(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return `sha256:${hash.digest('hex')}`;
}

function refOf({ name, version, digest }: DiskRequest): string {
  return `disk/${digestOf(canonicalJson({ recipe, name, version, digest }))}`;
}

function changed(file: string): EngineError {
  return new EngineError('IMAGE_FAILED', `the disk ${file} changed after it was checked`, {
    hint: 'Run the same command again.',
    details: { file },
  });
}

function unfit(file: string, what: string, hint: string): EngineError {
  return new EngineError('IMAGE_FAILED', `the disk ${file} ${what}`, { hint, details: { file } });
}
