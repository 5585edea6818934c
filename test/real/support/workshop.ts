import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../engine/command.ts';
import type { Digest } from '../../../engine/digest.ts';
import { buildImage, type ImageRequest } from '../../../engine/images/build-image.ts';
import type { BuildContext } from '../../../engine/images/context.ts';
import { buildKitPrograms } from '../../../engine/images/kit-programs.ts';
import type { Blobs } from '../../../engine/model/blob.ts';
import { systemCode } from '../../../engine/system-code.ts';
import { checkout, openTestHome, testHome } from './test-home.ts';

/** Images and programs for tests, kept between runs in the checkout's cache. */
export type Workshop = {
  /** Gives the unpacked layers of an appliance's image, highest first, as overlayfs takes them. */
  readonly layers: (request: ImageRequest) => Promise<string>;
  /** Path of the supervisor. */
  readonly supervisor: string;
  readonly close: () => void;
};

/** Opens the workshop; what is missing is built. */
export async function openWorkshop(): Promise<Workshop> {
  const { close, ...context } = await openTestHome();
  return {
    layers: (request) => layersOf(request, context),
    supervisor: await makeSupervisor(join(testHome, 'kit')),
    close,
  };
}

async function makeSupervisor(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const programs = await buildKitPrograms(
    ['supervisor'],
    join(checkout, 'kit'),
    folder,
    new AbortController().signal,
  );
  const path = join(folder, 'supervisor');
  await writeFile(`${path}.new`, programs.supervisor);
  await chmod(`${path}.new`, 0o755);
  await rename(`${path}.new`, path);
  return path;
}

async function layersOf(request: ImageRequest, context: BuildContext): Promise<string> {
  const { layers } = await buildImage(request, context);
  const folders: string[] = [];
  for (const { digest } of layers) folders.unshift(await unpacked(digest, context.blobs));
  return folders.join(':');
}

async function unpacked(digest: Digest, blobs: Blobs): Promise<string> {
  const folder = join(testHome, 'layers', digest.slice(7, 23));
  const fresh = `${folder}.new`;
  try {
    await mkdir(join(testHome, 'layers'), { recursive: true });
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh);
    await runCommand('tar', ['-xzpf', blobs.path(digest), '--numeric-owner', '-C', fresh]);
    await rename(fresh, folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOTEMPTY') throw error; // it was there already
    await rm(fresh, { recursive: true });
  }
  return folder;
}
