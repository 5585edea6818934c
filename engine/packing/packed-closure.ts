import { EngineError } from '../errors.ts';
import { imagesByPath } from '../images/closure.ts';
import { readImageConfig } from '../images/image-config.ts';
import { parseJsonBlob } from '../images/json-blob.ts';
import { loadImage } from '../images/load-image.ts';
import { keyOf, type MadeImage } from '../images/make-images.ts';
import type { Blobs, Descriptor } from '../model/blob.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { Closure } from '../model/closure.ts';
import type { PackedSource } from '../model/packed-source.ts';
import type { PackingList } from '../model/packing-list.ts';

/** What a packed blueprint runs, and its images by appliance and version. */
export type PackedClosure = {
  readonly closure: Closure;
  readonly images: ReadonlyMap<string, Pick<MadeImage, 'layers' | 'defaults'>>;
};

/**
 * Gives what a blueprint runs when it comes packed: exactly the digests of the packing list. Names that other
 * deployments share, such as `image/…`, are neither read nor written.
 *
 * @throws EngineError BUNDLE_CONTRADICTORY; BLOB_CORRUPT when an image's configuration is none
 */
export async function packedClosure(packed: PackedSource, blueprint: Blueprint): Promise<PackedClosure> {
  const { list } = packed;
  if (list.kit === undefined) throw contradictory(list, 'names no kit');
  const images = new Map<string, Pick<MadeImage, 'layers' | 'defaults'>>();
  const contents = new Map<string, readonly Descriptor[]>();
  for (const { path, uses, contents: places } of blueprint.appliances) {
    const key = keyOf(uses);
    const image = list.images[key];
    if (image === undefined) throw contradictory(list, `names no image of ${key}`);
    const { digest: config } = image.config;
    const { defaults } = readImageConfig(parseJsonBlob(await packed.readFile(config), config), config);
    images.set(key, { layers: image.layers, defaults });
    const layers = places.map(({ name, to, digest }) => {
      const content = list.contents.find((each) => each.appliance === path && each.name === name);
      if (content?.digest === digest && content.to === to) return content.layer;
      throw contradictory(list, `names no content ${name} of ${path}`);
    });
    if (layers.length > 0) contents.set(path, layers);
  }
  return { images, closure: { kit: list.kit.list.digest, ...imagesByPath(blueprint, images), contents } };
}

/**
 * Holds stored images against the packing list: each manifest must name the very parts that the list gives its image.
 *
 * @throws EngineError IMAGE_MISSING, BLOB_CORRUPT, BUNDLE_CONTRADICTORY
 */
export async function checkPackedImages(list: PackingList, blobs: Blobs): Promise<void> {
  for (const [name, image] of Object.entries(list.images)) {
    const { config, layers } = await loadImage(image.manifest.digest, blobs);
    // the type too: it says how a layer is unpacked
    const named = [config, ...layers].map(partOf);
    const wanted = [image.config, ...image.layers].map(partOf);
    if (named.join() !== wanted.join())
      throw contradictory(list, `gives ${name} other parts than its image has`);
  }
}

function partOf({ mediaType, digest, size }: Descriptor): string {
  return [mediaType, digest, size].join(' ');
}

/** Makes the error for a packing list that does not agree with what it lists. */
export function contradictory({ name, version }: PackingList, what: string): EngineError {
  return new EngineError('BUNDLE_CONTRADICTORY', `the packing list of ${name} ${version} ${what}`, {
    hint: 'Have it packed again; if it comes from somebody else, do not trust it.',
  });
}
