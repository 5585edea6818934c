import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, type Digest, digestOf, isDigest } from '../digest.ts';
import type { Blobs } from '../model/blob.ts';
import type { LockedPackages } from '../model/lock.ts';
import { type Apt, fetchLists, openApt } from './apt.ts';
import type { BuildContext } from './context.ts';
import { type StoredLayer, storeLayer } from './layer-blob.ts';
import { withLicenses } from './licenses.ts';
import { runInNamespace } from './namespace.ts';
import { pinsOfPackages, readIndex, requireInstalled, requirePinned, withDigests } from './package-index.ts';
import { type InstalledPackage, readPackages } from './packages.ts';
import { diffTrees, readTree } from './tree.ts';

// raised whenever the same suite shall give another layer than before
const recipe = 3;
const timeoutMs = 30 * 60_000;

const offerFetched = `set -e
mkdir -p "$1/var/lib/apt/lists" "$1/var/cache/apt/archives"
cp -a "$LISTS/." "$1/var/lib/apt/lists/"
root=$1
offer() { find "$ARCHIVES" -maxdepth 1 -name '*.deb' -exec cp "$1" -t "$root/var/cache/apt/archives" {} +; }
offer --link 2>/dev/null || offer --preserve=timestamps`;
// files with another name are those that were offered
const keepFetched = `flock "$LOCK" find "$1/var/cache/apt/archives" -maxdepth 1 -name '*.deb' -links 1 \\
  -exec cp --update --preserve=timestamps -t "$ARCHIVES" {} +`;

/** The layer that all appliances of a suite share, and the digest that names it in their sources. */
export type BaseLayer = StoredLayer & {
  readonly suite: string;
  /** All that it holds, by name. */
  readonly packages: readonly InstalledPackage[];
};

/** Gives the base layer of a suite when it is stored, whole. @param pins - of its packages; the last one built when absent */
export async function findBase(
  suite: string,
  pins: LockedPackages | undefined,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<BaseLayer | undefined> {
  return await readBase(refOf(suite, pins), context);
}

/** Gives the base layer that is an image's lowest layer. */
export async function findBaseOf(
  layer: Digest,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<BaseLayer | undefined> {
  return await readBase(layerRef(layer), context);
}

async function readBase(
  name: string,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<BaseLayer | undefined> {
  const digest = context.refs.get(name);
  if (digest === undefined || !(await context.blobs.has(digest))) return undefined;
  const base = JSON.parse(Buffer.from(await context.blobs.read(digest)).toString()) as BaseLayer;
  return (await isStored(base, context.blobs)) ? base : undefined;
}

/**
 * Builds the base layer of a suite: Debian's essential packages, without apt.
 *
 * @param pins - the versions that are taken; the newest when absent
 * @param folder - empty, for this build alone
 * @throws EngineError IMAGE_FAILED, PACKAGE_GONE, DISK_FULL, TOOL_MISSING
 */
export async function buildBase(
  suite: string,
  pins: LockedPackages | undefined,
  folder: string,
  context: BuildContext,
): Promise<BaseLayer> {
  const { blobs, cache, refs, report, signal } = context;
  const subject = `base ${suite}`;
  report({ type: 'build', subject, state: 'started', message: 'essential packages of Debian' });
  const root = join(folder, 'root');
  await mkdir(root, { recursive: true, mode: 0o755 });
  const apt = await openApt({ suite, cache, scratch: folder, root, signal, ...(pins && { pins }) });
  await fetchLists(apt, signal);
  if (pins !== undefined) requirePinned(pins, await readIndex(apt, Object.keys(pins), signal));
  await runInNamespace('mmdebstrap', argumentsFor(suite, root, apt), {
    hasNetwork: true,
    signal,
    timeoutMs,
    environment: { LISTS: apt.lists, ARCHIVES: apt.archives, LOCK: apt.lock },
    onLine: (line) => {
      const stage = /^I: ((?:extracting|installing|downloading) .*)/.exec(line)?.[1];
      if (stage !== undefined) report({ type: 'build', subject, state: 'progress', message: stage });
    },
  });
  const stored = await storeLayer(diffTrees(root, new Map(), await readTree(root)), blobs, signal);
  const installed = await readPackages(root);
  if (pins !== undefined) requireInstalled(pins, installed);
  const index = await readIndex(
    apt,
    installed.map(({ name }) => name),
    signal,
  );
  const packages = await withLicenses(withDigests(installed, index), root);
  const base: BaseLayer = { suite, ...stored, packages };
  const digest = await blobs.write(canonicalJson(base));
  if (pins === undefined) refs.set(refOf(suite, undefined), digest);
  refs.set(layerRef(base.layer.digest), digest);
  const found = pinsOfPackages(packages);
  if (found !== undefined) refs.set(refOf(suite, found), digest);
  report({ type: 'build', subject, state: 'done', message: base.layer.digest });
  return base;
}

function argumentsFor(suite: string, root: string, apt: Apt): readonly string[] {
  return [
    '--mode=root',
    '--variant=essential',
    '--format=directory',
    '--architectures=amd64',
    ...[...apt.settings, 'Acquire::Languages "none";', 'APT::Sandbox::User "root";'].map(
      (setting) => `--aptopt=${setting.replace(/;$/, '')}`,
    ),
    '--dpkgopt=force-unsafe-io',
    // what was fetched before is offered again, and what is fetched now is kept; by hooks, because apt in here has
    // its folders in the root
    `--setup-hook=${offerFetched}`,
    '--skip=essential/unlink',
    '--skip=chroot/mount/sys', // the root of a user namespace may not mount it, and no package asks for it
    `--aptopt=Dir::Etc::PreferencesParts "${apt.preferences}"`,
    `--customize-hook=${keepFetched}`,
    // makes /bin and its like links from the start, where the package that does it later would bring all of perl
    '--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr',
    suite,
    root,
    apt.sources,
  ];
}

async function isStored(base: BaseLayer, blobs: Blobs): Promise<boolean> {
  return isDigest(base.layer.digest) && (await blobs.size(base.layer.digest)) === base.layer.size;
}

function refOf(suite: string, pins: LockedPackages | undefined): string {
  const source: Digest = digestOf(canonicalJson({ suite, recipe, ...(pins && { pins }) }));
  return `base/${source}`;
}

function layerRef(layer: Digest): string {
  return `base/layer/${layer}`;
}
