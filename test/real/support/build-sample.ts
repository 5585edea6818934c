import { join } from 'node:path';
import { type BuiltImage, buildImage, type ImageRequest } from '../../../engine/images/build-image.ts';
import type { Blobs, Refs } from '../../../engine/model/blob.ts';
import type { Report } from '../../../engine/model/event.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { openStore } from '../../../engine/store/store.ts';

/** A small image: one package and what it needs. */
export const sampleRequest: ImageRequest = {
  name: 'sample',
  version: '1.0.0',
  image: { kind: 'packages', suite: 'bookworm', packages: ['jq'] },
};

/** A store in a folder of its own, to build images in. */
export type ImageHome = {
  readonly blobs: Blobs;
  readonly refs: Refs;
  readonly build: (
    request: ImageRequest,
    options?: { readonly signal?: AbortSignal; readonly report?: Report },
  ) => Promise<BuiltImage>;
  readonly close: () => void;
};

/**
 * Opens a folder as a store of images.
 *
 * @param cache - for downloaded packages; may be shared between homes
 */
export async function openImageHome(home: string, cache: string): Promise<ImageHome> {
  const blobs = await openBlobs(join(home, 'blobs'), { temporary: join(home, 'unfinished') });
  const store = openStore(join(home, 'state.db'));
  const { refs } = store;
  return {
    blobs,
    refs,
    build: async (request, { signal = new AbortController().signal, report = () => undefined } = {}) =>
      await buildImage(request, { blobs, refs, scratch: join(home, 'scratch'), cache, signal, report }),
    close: () => store.close(),
  };
}

const [home, cache, pins] = process.argv.slice(2);
if (import.meta.main && home !== undefined && cache !== undefined) {
  const images = await openImageHome(home, cache);
  await images.build({ ...sampleRequest, ...(pins !== undefined && { pins: JSON.parse(pins) }) });
  images.close();
}
