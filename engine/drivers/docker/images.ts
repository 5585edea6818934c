import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { canonicalJson, type Digest, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { readCpioFile } from '../../formats/cpio.ts';
import { type TarSource, writeTar } from '../../formats/tar.ts';
import type { Descriptor } from '../../model/blob.ts';
import { readKit } from '../read-kit.ts';
import type { DriverContext } from './context.ts';

/** A layer as it stands in a docker-archive. */
type ArchiveLayer = {
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array>;
};

/** Where the kit's programs lie in every container. */
export const supervisorPath = '/run/sheaf/bin/supervisor';
/** Where the sandbox's and the doors' program lies. */
export const attendantPath = '/attendant';

/** Loads the image of an instance where it is not there: its own layers, and the kit's programs above them. @returns its name */
export async function ensureImage(
  context: DriverContext,
  kit: Digest,
  layers: readonly Descriptor[],
): Promise<string> {
  const name = imageName({ kit, layers: layers.map((layer) => layer.digest) });
  return await ensure(context, name, async () => [
    ...(await Promise.all(layers.map((layer) => layerOf(context, layer)))),
    await kitLayer(context, kit),
  ]);
}

/** Tells whether the image of an instance is there. */
export async function hasImage(
  context: DriverContext,
  kit: Digest,
  layers: readonly Descriptor[],
): Promise<boolean> {
  return await context.api.hasImage(imageName({ kit, layers: layers.map((layer) => layer.digest) }));
}

/** Loads the image of sandboxes and doors: one static program. @returns its name */
export async function attendantImage(context: DriverContext, signal: AbortSignal): Promise<string> {
  const attendant = await context.attendant(signal);
  return await ensure(context, imageName({ attendant: attendant.digest }), async () => {
    const content = Buffer.from(await context.blobs.read(attendant.digest));
    return [await tarLayer([file(attendantPath.slice(1), content)])];
  });
}

/** Loads the image of the containers that keep records: nothing but a folder. @returns its name */
export async function recordsImage(context: Pick<DriverContext, 'api' | 'loading'>): Promise<string> {
  return await ensure(context, imageName('records'), async () => [await tarLayer([folder('records/')])]);
}

function imageName(source: unknown): string {
  return `sheaf/${digestOf(canonicalJson(source)).slice('sha256:'.length, 'sha256:'.length + 32)}:latest`;
}

async function ensure(
  context: Pick<DriverContext, 'api' | 'loading'>,
  name: string,
  layers: () => Promise<readonly ArchiveLayer[]>,
): Promise<string> {
  if (await context.api.hasImage(name)) return name;
  await context.loading(async () => {
    if (!(await context.api.hasImage(name))) await context.api.loadImage(archiveOf(name, await layers()));
  });
  return name;
}

function archiveOf(name: string, layers: readonly ArchiveLayer[]): Readable {
  const config = Buffer.from(
    canonicalJson({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    }),
  );
  const configName = `${digestOf(config).slice('sha256:'.length)}.json`;
  const nameOf = (layer: ArchiveLayer): string => `${layer.diffId.slice('sha256:'.length)}/layer.tar`;
  const manifest = Buffer.from(
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: layers.map(nameOf) }]),
  );
  const once = [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
  return writeTar([
    ...once.map((layer) => ({
      ...file(nameOf(layer), Buffer.alloc(0)),
      size: layer.size,
      content: layer.open(),
    })),
    file(configName, config),
    file('manifest.json', manifest),
  ]);
}

/** Gzipped layers go as they are. Others are unpacked, for old Engines read no zstd. */
async function layerOf({ blobs }: DriverContext, layer: Descriptor): Promise<ArchiveLayer> {
  const { digest, mediaType, size } = layer;
  const unpacked = (): AsyncIterable<Uint8Array> => {
    const stored = blobs.open(digest);
    if (mediaType.endsWith('gzip')) return pipe(stored, createGunzip());
    return mediaType.endsWith('zstd') ? pipe(stored, createZstdDecompress()) : stored;
  };
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of unpacked()) {
    hash.update(chunk);
    length += chunk.length;
  }
  const diffId: Digest = `sha256:${hash.digest('hex')}`;
  return mediaType.endsWith('gzip')
    ? { diffId, size, open: () => blobs.open(digest) }
    : { diffId, size: length, open: unpacked };
}

function pipe(from: Readable, to: NodeJS.ReadWriteStream): AsyncIterable<Uint8Array> {
  const through = to as NodeJS.ReadWriteStream & AsyncIterable<Uint8Array> & { destroy(error: Error): void };
  from.on('error', (error) => through.destroy(error));
  from.pipe(through);
  return through;
}

async function kitLayer(context: DriverContext, kit: Digest): Promise<ArchiveLayer> {
  const { initramfs, supervisor } = await readKit(context.blobs, kit);
  const busybox = readCpioFile(await context.blobs.read(initramfs.digest), 'sheaf/bin/busybox');
  if (busybox === undefined)
    throw new EngineError('IMAGE_MISSING', `the guest kit ${kit} has no busybox`, {
      hint: 'Run `sheaf build` to make another one.',
    });
  return await tarLayer([
    ...['run/', 'run/sheaf/', 'run/sheaf/bin/'].map(folder),
    file('run/sheaf/bin/busybox', busybox),
    file(supervisorPath.slice(1), Buffer.from(await context.blobs.read(supervisor.digest))),
  ]);
}

async function tarLayer(entries: readonly TarSource[]): Promise<ArchiveLayer> {
  const tar = Buffer.concat(await writeTar(entries).toArray());
  return { diffId: digestOf(tar), size: tar.length, open: () => Readable.from([tar]) };
}

const common = { uid: 0, gid: 0, mtime: 0, target: '', attributes: {}, mode: 0o755 };

function file(path: string, content: Uint8Array): TarSource {
  return { ...common, path, type: 'file', size: content.length, content };
}

function folder(path: string): TarSource {
  return { ...common, path, type: 'directory', size: 0 };
}
