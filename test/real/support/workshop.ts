import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../../engine/command.ts';
import type { Digest } from '../../../engine/digest.ts';
import { buildImage, type ImageRequest } from '../../../engine/images/build-image.ts';
import { buildKitPrograms } from '../../../engine/images/kit-programs.ts';
import type { Blobs, Refs } from '../../../engine/model/blob.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { openStore } from '../../../engine/store/store.ts';

/** Images and programs for tests, kept between runs in the checkout's cache. */
export type Workshop = {
  /** Gives the unpacked layers of an appliance's image, highest first, as overlayfs takes them. */
  readonly layers: (request: ImageRequest) => Promise<string>;
  /** Path of the supervisor. */
  readonly supervisor: string;
  readonly close: () => void;
};

const checkout = fileURLToPath(new URL('../../../', import.meta.url));

/** Opens the workshop; what is missing is built. */
export async function openWorkshop(): Promise<Workshop> {
  const home = join(checkout, '.cache/test');
  const scratch = join(home, 'scratch');
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const blobs = await openBlobs(join(home, 'blobs'), { temporary: join(home, 'unfinished') });
  const store = openStore(join(home, 'state.db'));
  return {
    layers: (request) => layersOf(request, home, blobs, store.refs),
    supervisor: await makeSupervisor(join(home, 'kit')),
    close: () => store.close(),
  };
}

async function makeSupervisor(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const programs = await buildKitPrograms(join(checkout, 'kit'), folder, new AbortController().signal);
  const path = join(folder, 'supervisor');
  await writeFile(`${path}.new`, programs.supervisor);
  await chmod(`${path}.new`, 0o755);
  await rename(`${path}.new`, path);
  return path;
}

async function layersOf(request: ImageRequest, home: string, blobs: Blobs, refs: Refs): Promise<string> {
  const { layers } = await buildImage(request, {
    blobs,
    refs,
    scratch: join(home, 'scratch'),
    cache: join(home, 'packages'),
    signal: new AbortController().signal,
    report: () => undefined,
  });
  const folders: string[] = [];
  for (const { digest } of layers) folders.unshift(await unpacked(digest, home, blobs));
  return folders.join(':');
}

async function unpacked(digest: Digest, home: string, blobs: Blobs): Promise<string> {
  const folder = join(home, 'layers', digest.slice(7, 23));
  const fresh = `${folder}.new`;
  try {
    await mkdir(join(home, 'layers'), { recursive: true });
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh);
    await runCommand('tar', ['-xzpf', blobs.path(digest), '--numeric-owner', '-C', fresh]);
    await rename(fresh, folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error; // it was there already
    await rm(fresh, { recursive: true });
  }
  return folder;
}
