import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../command.ts';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import { type CpioEntry, writeCpio } from '../formats/cpio.ts';
import type { Blobs, Descriptor, Refs } from '../model/blob.ts';
import type { Report } from '../model/event.ts';
import type { Kit, NamedKit } from '../model/kit.ts';
import { openProcessFolder } from '../process-folder.ts';
import { rememberAttendant } from './attendant.ts';
import { orImageFailed } from './image-failure.ts';
import { type BootModule, findRelease, reduceModules } from './kit-modules.ts';
import { findKitPackages, type KitPackages, unpackPackages } from './kit-packages.ts';
import { buildKitPrograms, digestSources, programMediaType } from './kit-programs.ts';

/** What {@link buildKit} works with. */
export type KitRequest = {
  /** The folder of the kit's Go module. */
  readonly sources: string;
  readonly blobs: Blobs;
  readonly refs: Refs;
  /** Where unfinished work lies: a parent as `openProcessFolder` takes it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly report: Report;
};

/** Rises when this file makes another kit out of the same sources and packages. */
const recipe = 1;

const mediaTypes = {
  kernel: 'application/vnd.sheaf.kit.kernel.v1',
  initramfs: 'application/vnd.sheaf.kit.initramfs.v1.cpio',
  modules: 'application/vnd.sheaf.kit.modules.v1.squashfs',
  program: programMediaType,
} as const;

/**
 * Builds the guest kit out of its Go sources and Debian's kernel and busybox, or finds the one built before.
 *
 * Equal sources, packages and compilers give equal bytes. A kit that is stored costs neither work nor network, and
 * stays what it is when Debian brings a newer kernel: a new kit restarts every instance, so it comes when it is asked for.
 *
 * @throws EngineError IMAGE_FAILED when the archive cannot be reached or a part does not build; TOOL_MISSING, DISK_FULL
 */
export async function buildKit(request: KitRequest): Promise<NamedKit> {
  const { blobs, refs, report, signal } = request;
  const stored = await findKit(request.sources, request);
  if (stored !== undefined) {
    report({ type: 'build', subject: 'kit', state: 'cached', message: stored.kit.version });
    return stored;
  }
  const packages = await findKitPackages(signal);
  if (packages === undefined) {
    throw new EngineError(
      'IMAGE_FAILED',
      'the kit cannot be built: apt knows no kernel for virtual machines',
      {
        hint: 'Run apt-get update on a Debian 12 system with its main archive.',
      },
    );
  }
  report({ type: 'build', subject: 'kit', state: 'started', message: packages.kernel.name });
  const work = await mkdtemp(join(await openProcessFolder(request.scratch), 'kit-'));
  try {
    const kit = await makeKit(request, packages, work);
    const digest = await blobs.write(canonicalJson(kit));
    refs.set(await refOf(request.sources), digest);
    await rememberAttendant(request.sources, kit.attendant, refs);
    report({ type: 'build', subject: 'kit', state: 'done', message: kit.version });
    return { digest, kit };
  } catch (error) {
    const hint = 'Its packages come from the archive of Debian: look at the network and at apt-get update.';
    throw orDiskFull(orImageFailed(error, 'building the kit', hint), work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Reads a kit out of the blob store. @throws EngineError BLOB_CORRUPT */
export async function readKit(digest: Digest, blobs: Blobs): Promise<NamedKit> {
  const kit: Kit = JSON.parse(Buffer.from(await blobs.read(digest)).toString());
  return { digest, kit };
}

/** Gives the kit that was built of these sources, when it is stored whole; builds nothing. */
export async function findKit(
  sources: string,
  { blobs, refs }: Pick<KitRequest, 'blobs' | 'refs'>,
): Promise<NamedKit | undefined> {
  const digest = refs.get(await refOf(sources));
  if (digest === undefined || !(await blobs.has(digest))) return undefined;
  const named = await readKit(digest, blobs);
  const { kernel, initramfs, modules, supervisor, attendant } = named.kit;
  const parts = await Promise.all(
    [kernel, initramfs, modules, supervisor, attendant].map((part) => blobs.has(part.digest)),
  );
  return parts.every(Boolean) ? named : undefined;
}

async function makeKit(request: KitRequest, packages: KitPackages, work: string): Promise<Kit> {
  const { blobs, report, signal } = request;
  const tell = (message: string): void =>
    report({ type: 'build', subject: 'kit', state: 'progress', message });
  const root = join(work, 'root');
  tell('compiles the supervisor and the attendant');
  const programs = await buildKitPrograms(['supervisor', 'attendant'], request.sources, work, signal);
  tell(`fetches ${packages.kernel.name} and busybox`);
  await unpackPackages([packages.kernel, packages.busybox], root, signal);
  tell('packs the kernel modules');
  const release = await findRelease(root);
  const busybox = join(root, 'bin/busybox');
  const bootModules = await reduceModules(root, release, busybox, signal);
  const modules = join(work, 'modules.squashfs');
  await runCommand(
    'mksquashfs',
    [join(root, 'lib/modules'), modules, '-comp', 'zstd', '-Xcompression-level', '6', ...reproducible],
    { signal, timeoutMs: 300_000 },
  );
  const initramfs = writeCpio(initramfsEntries(programs.supervisor, await readFile(busybox), bootModules));
  return {
    kind: 'Kit',
    version: `${recipe}+linux-${release}`,
    platform: 'linux/amd64',
    kernel: await storeFile(blobs, mediaTypes.kernel, join(root, 'boot', `vmlinuz-${release}`)),
    initramfs: await storeBytes(blobs, mediaTypes.initramfs, initramfs),
    modules: await storeFile(blobs, mediaTypes.modules, modules),
    supervisor: await storeBytes(blobs, mediaTypes.program, programs.supervisor),
    attendant: await storeBytes(blobs, mediaTypes.program, programs.attendant),
  };
}

const reproducible = [
  '-noappend',
  '-no-progress',
  '-quiet',
  '-all-root',
  '-no-xattrs',
  '-mkfs-time',
  '0',
  '-all-time',
  '0',
];

function initramfsEntries(
  supervisor: Uint8Array,
  busybox: Uint8Array,
  modules: readonly BootModule[],
): readonly CpioEntry[] {
  const order = modules.map((module) => `${module.name}\n`).join('');
  return [
    { kind: 'folder', path: 'sheaf', mode: 0o755 },
    { kind: 'folder', path: 'sheaf/bin', mode: 0o755 },
    { kind: 'file', path: 'sheaf/bin/supervisor', mode: 0o755, content: supervisor },
    { kind: 'file', path: 'sheaf/bin/busybox', mode: 0o755, content: busybox },
    { kind: 'link', path: 'sheaf/bin/modprobe', mode: 0o777, target: 'busybox' },
    { kind: 'folder', path: 'sheaf/modules', mode: 0o700 },
    { kind: 'file', path: 'sheaf/modules/order', mode: 0o600, content: Buffer.from(order) },
    ...modules.map(
      (module): CpioEntry => ({
        kind: 'file',
        path: `sheaf/modules/${module.name}`,
        mode: 0o600,
        content: module.content,
      }),
    ),
    { kind: 'link', path: 'init', mode: 0o777, target: 'sheaf/bin/supervisor' },
  ];
}

async function storeBytes(blobs: Blobs, mediaType: string, content: Uint8Array): Promise<Descriptor> {
  return { mediaType, digest: await blobs.write(content), size: content.length };
}

async function storeFile(blobs: Blobs, mediaType: string, path: string): Promise<Descriptor> {
  return { mediaType, ...(await blobs.writeStream(createReadStream(path))) };
}

async function refOf(sources: string): Promise<string> {
  return `kit/${digestOf(canonicalJson({ recipe, sources: await digestSources(sources) }))}`;
}
