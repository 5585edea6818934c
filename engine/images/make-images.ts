import { join } from 'node:path';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';
import type { ImageSource } from '../model/blueprint.ts';
import type { NeededImage } from '../model/closure.ts';
import type { ImageDefaults } from '../model/image-defaults.ts';
import type { PackedImage } from '../model/packing-list.ts';
import { buildImages, findImage, type ImageRequest } from './build-image.ts';
import type { BuildContext } from './context.ts';
import { type DiskRequest, findDisk, importDisk } from './import-disk.ts';
import { findImported, type ImportRequest, importImage } from './import-image.ts';
import { type LoadedImage, loadImage } from './load-image.ts';

/** An image that is stored whole. */
export type MadeImage = {
  readonly manifest: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly wasCached: boolean;
  /** Of an image that was not made here: what it says of running it. */
  readonly defaults?: ImageDefaults;
};

/**
 * Makes images where they are not stored yet: builds those of Debian packages, fetches those of others, copies disks.
 *
 * @returns one entry per image, by `NAME@VERSION`
 */
export async function makeImages(
  images: readonly NeededImage[],
  context: BuildContext,
): Promise<ReadonlyMap<string, MadeImage>> {
  const made = new Map<string, MadeImage>();
  // what is fetched may be refused at once; what is built takes minutes
  for (const image of images) {
    if (image.image.kind === 'packages' && image.published === undefined) continue;
    const found = await findNeeded(image, context);
    const key = keyOf(image);
    if (found !== undefined)
      context.report({ type: 'build', subject: key, state: 'cached', message: found.manifest.digest });
    if (image.published !== undefined) {
      made.set(key, found ?? (await takePublished(image, image.published, context)));
      continue;
    }
    if (image.image.kind === 'packages') continue;
    made.set(
      key,
      found ??
        (image.image.kind === 'oci'
          ? madeOf(await importImage(importOf(image, image.image.ref), context), false)
          : diskImage(await importDisk(diskOf(image, image.image), context), false)),
    );
  }
  const own = images.flatMap((image) => (image.published === undefined ? packageRequest(image) : []));
  const built = await buildImages(own, context);
  for (const [index, request] of own.entries()) {
    const result = built[index];
    if (result !== undefined) made.set(keyOf(request), result);
  }
  return made;
}

/** Gives an image when it is stored whole; makes nothing. */
export async function findNeeded(
  image: NeededImage,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<MadeImage | undefined> {
  if (image.published !== undefined) {
    const { manifest } = image.published.image;
    const isStored = await arePartsStored(image.published.image, context);
    return isStored ? publishedOf(image, await loadImage(manifest.digest, context.blobs), true) : undefined;
  }
  switch (image.image.kind) {
    case 'packages': {
      const [request] = packageRequest(image);
      const found = request && (await findImage(request, context));
      return found && { manifest: found.manifest, layers: found.layers, wasCached: true };
    }
    case 'oci': {
      const found = await findImported(importOf(image, image.image.ref), context);
      return found && madeOf(found, true);
    }
    case 'disk': {
      const found = await findDisk(diskOf(image, image.image), context);
      return found && diskImage(found, true);
    }
    default:
      return image.image satisfies never;
  }
}

/** Names an image in a closure: `NAME@VERSION` of its appliance. */
export function keyOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}@${version}`;
}

/** Stores what the bundle of an appliance brings, and holds its image against what the bundle says of it. */
async function takePublished(
  image: NeededImage,
  { identity, image: packed }: NonNullable<NeededImage['published']>,
  context: BuildContext,
): Promise<MadeImage> {
  if (context.storePublished === undefined)
    throw new EngineError('IMAGE_MISSING', `the image of ${keyOf(image)} is not stored here`, {
      hint: 'It comes out of a catalog, and none can be asked.',
      details: { digest: packed.manifest.digest },
    });
  await context.storePublished(identity);
  const loaded = await loadImage(packed.manifest.digest, context.blobs);
  const named = [loaded.config, ...loaded.layers].map(({ digest }) => digest);
  if (named.join() !== [packed.config, ...packed.layers].map(({ digest }) => digest).join())
    throw new EngineError(
      'BUNDLE_CONTRADICTORY',
      `the bundle of ${keyOf(image)} gives its image other parts`,
      {
        hint: 'Do not use it, and tell whoever published it.',
      },
    );
  return publishedOf(image, loaded, false);
}

async function arePartsStored(
  { manifest, config, layers }: PackedImage,
  { blobs }: Pick<BuildContext, 'blobs'>,
): Promise<boolean> {
  for (const { digest, size } of [manifest, config, ...layers])
    if ((await blobs.size(digest)) !== size) return false;
  return true;
}

function publishedOf({ image }: NeededImage, loaded: LoadedImage, wasCached: boolean): MadeImage {
  return image.kind === 'oci' ? madeOf(loaded, wasCached) : diskImage(loaded, wasCached);
}

function madeOf({ manifest, layers, defaults }: LoadedImage, wasCached: boolean): MadeImage {
  return { manifest, layers, wasCached, defaults };
}

function diskImage({ manifest, layers }: LoadedImage, wasCached: boolean): MadeImage {
  return { manifest, layers, wasCached };
}

function diskOf(
  { name, version, folder }: NeededImage,
  { path, digest }: Extract<ImageSource, { readonly kind: 'disk' }>,
): DiskRequest {
  return { name, version, file: join(folder, path), digest };
}

function importOf(image: NeededImage, ref: string): ImportRequest {
  return { subject: keyOf(image), ref, folder: image.folder };
}

/** Gives what is built of an image of Debian packages; nothing for others. */
export function packageRequest({
  name,
  version,
  image,
  setup,
  pins,
  renews,
}: NeededImage): readonly ImageRequest[] {
  return image.kind === 'packages'
    ? [
        {
          name,
          version,
          image,
          ...(setup !== undefined && { setup }),
          ...(pins && { pins }),
          ...(renews && { renews }),
        },
      ]
    : [];
}
