import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeAttendant } from '../../../engine/images/attendant.ts';
import type { BuildContext } from '../../../engine/images/context.ts';
import { buildKit } from '../../../engine/images/kit.ts';
import type { Blobs, Descriptor } from '../../../engine/model/blob.ts';
import type { NamedKit } from '../../../engine/model/kit.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { openStore } from '../../../engine/store/store.ts';

/** The checkout's root folder. */
export const checkout = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * State of all tests with real parts, laid out as the program's own home and used as such by those that run it.
 *
 * Kept between runs, so that the base, the kit and the images are built once for a checkout.
 */
export const testHome = process.env['SHEAF_TEST_HOME'] ?? join(checkout, '.cache/test');

/** Downloaded packages, kept between runs; for tests that build in a home of their own. */
export const packageCache = join(testHome, 'cache');

/** Opens what images are built with, in the tests' home. Its blobs stay usable when it is closed. */
export async function openTestHome(): Promise<BuildContext & { readonly close: () => void }> {
  await mkdir(testHome, { recursive: true, mode: 0o700 });
  const blobs = await openBlobs(join(testHome, 'blobs'), { temporary: join(testHome, 'drafts') });
  const store = openStore(join(testHome, 'state.db'));
  return {
    blobs,
    refs: store.refs,
    scratch: join(testHome, 'scratch'),
    cache: packageCache,
    signal: new AbortController().signal,
    report: () => undefined,
    close: () => store.close(),
  };
}

/** Gives a function that stores the attendant of these sources where a driver looks for it. */
export function testAttendant(blobs: Blobs): (signal: AbortSignal) => Promise<Descriptor> {
  return async (signal) => {
    const { close, ...context } = await openTestHome();
    try {
      const made = await makeAttendant({ sources: join(checkout, 'kit'), ...context, signal });
      if (!(await blobs.has(made.digest))) await blobs.write(await context.blobs.read(made.digest));
      return made;
    } finally {
      close();
    }
  };
}

/** Gives the kit of these sources, built where it is not stored yet, and the blobs that hold it. */
export async function testKit(): Promise<NamedKit & { readonly blobs: Blobs }> {
  const { close, ...context } = await openTestHome();
  try {
    const kit = await buildKit({ sources: join(checkout, 'kit'), ...context });
    return { ...kit, blobs: context.blobs };
  } finally {
    close();
  }
}
