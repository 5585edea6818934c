import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../command.ts';
import type { LockedPackages } from '../model/lock.ts';
import { fetchLists, fetchPackages, inRootScript, installPackages, openApt } from './apt.ts';
import type { BaseLayer } from './base-layer.ts';
import type { BuildContext } from './context.ts';
import { orImageFailed } from './image-failure.ts';
import { freeSpace, keepingRoom, usualRoom } from './keep-room.ts';
import { type StoredLayer, storeLayer } from './layer-blob.ts';
import { withLicenses } from './licenses.ts';
import { runInNamespace } from './namespace.ts';
import { readIndex, requireInstalled, requirePinned, withDigests } from './package-index.ts';
import { type InstalledPackage, readPackages } from './packages.ts';
import { diffTrees, readTree } from './tree.ts';

/** What goes into an image above the base layer of its suite. */
export type OwnLayerRequest = {
  /** For people: `php@1.0.0`. */
  readonly subject: string;
  readonly suite: string;
  readonly packages: readonly string[];
  /** All packages that the layer adds, in exact versions; the newest that are needed when absent. */
  readonly pins?: LockedPackages;
  /** Text of the set-up script. */
  readonly setup: string | undefined;
};

const timeoutMs = 30 * 60_000;

/**
 * Installs packages onto a base layer, runs the set-up script, and stores what has changed as a layer.
 *
 * @param folder - absent or empty, for this build alone
 * @returns the layer, and all packages of the image: those of the base layer, and its own
 * @throws EngineError IMAGE_FAILED, PACKAGE_GONE
 */
export async function buildOwnLayer(
  request: OwnLayerRequest,
  base: BaseLayer,
  folder: string,
  context: BuildContext,
): Promise<{
  readonly stored: StoredLayer;
  readonly base: readonly InstalledPackage[];
  readonly own: readonly InstalledPackage[];
}> {
  const { subject, suite, pins, setup } = request;
  const { blobs, cache, report, signal } = context;
  const progress = (message: string): void => report({ type: 'build', subject, state: 'progress', message });
  const root = join(folder, 'root');
  await mkdir(root, { recursive: true });
  await chmod(root, 0o755); // whatever the caller's umask: services of other users must be able to enter it
  const unpack = ['--extract', '--gzip', '--numeric-owner', '--same-permissions'];
  await runCommand('tar', [...unpack, '--directory', root, '--file', blobs.path(base.layer.digest)], {
    signal,
    timeoutMs,
  });
  const before = await readTree(root);

  const apt = await openApt({ suite, cache, scratch: folder, root, signal, ...(pins && { pins }) });
  progress('fetches packages');
  await fetchLists(apt, signal);
  if (pins !== undefined) requirePinned(pins, await readIndex(apt, Object.keys(pins), signal));
  const packages = [...request.packages, ...exactly(pins ?? {})];
  await fetchPackages(apt, packages, signal);
  progress('installs packages');
  await installPackages(apt, root, packages, {
    signal,
    onLine: (line) => {
      if (line.startsWith('Setting up ')) progress(line.replace(/ \(.*/, ''));
    },
  });
  if (setup !== undefined) {
    progress('runs the set-up script');
    await runSetup(setup, root, folder, signal);
  }

  progress('packs the layer');
  const stored = await storeLayer(diffTrees(root, before, await readTree(root)), blobs, signal);
  const installed = await readPackages(root);
  const isOfBase = isIn(base.packages);
  const own = installed.filter((each) => !isOfBase(each));
  if (pins !== undefined) requireInstalled(pins, own);
  const index = await readIndex(
    apt,
    own.map(({ name }) => name),
    signal,
  );
  const described = await withLicenses(withDigests(own, index), root);
  return { stored, base: base.packages.filter(isIn(installed)), own: described };
}

function exactly(pins: LockedPackages): readonly string[] {
  return Object.entries(pins).map(([name, { version }]) => `${name}=${version}`);
}

function isIn(packages: readonly InstalledPackage[]): (each: InstalledPackage) => boolean {
  const versions = new Map(packages.map(({ name, version }) => [name, version]));
  return ({ name, version }) => versions.get(name) === version;
}

async function runSetup(script: string, root: string, folder: string, signal: AbortSignal): Promise<void> {
  const file = join(folder, 'setup');
  await writeFile(file, script, { mode: 0o700 });
  try {
    const run = async (stop: AbortSignal) =>
      await runInNamespace('sh', [inRootScript, root, 'setup', file], {
        ...{ hasNetwork: false, signal: stop, timeoutMs },
      });
    await keepingRoom(run, () => freeSpace(folder), usualRoom, signal);
  } catch (error) {
    const hint = 'Correct the script; it runs as root, without a network.';
    throw orImageFailed(error, 'the set-up script', hint);
  }
}
