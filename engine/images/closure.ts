import { digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';
import type { Blueprint, BlueprintAppliance } from '../model/blueprint.ts';
import type { Closure, NeededImage, NeededParts } from '../model/closure.ts';
import { buildContent, findContent } from './build-content.ts';
import { type BuiltImage, buildImages, findImage, type ImageRequest } from './build-image.ts';
import type { BuildContext } from './context.ts';
import { buildKit, findKit } from './kit.ts';
import { layerMediaType } from './layer-blob.ts';

/** A compiled application, with what its digests name. */
export type ClosureRequest = NeededParts & {
  readonly blueprint: Blueprint;
  /** Folder of the kit's sources. */
  readonly kitSources: string;
};

/**
 * Makes everything that a blueprint runs, or finds it made already: the kit, images, contents; templates become blobs.
 *
 * @throws EngineError of `buildKit`, `buildImages`, `buildContent`
 */
export async function makeClosure(request: ClosureRequest, context: BuildContext): Promise<Closure> {
  for (const { text } of request.templates.values()) await context.blobs.write(text);
  const kit = await buildKit({ sources: request.kitSources, ...context });
  const built = await buildNeeded(request.images, context);
  const contents = new Map<string, readonly Descriptor[]>();
  for (const content of request.contents) {
    const name = `${content.appliance}/${content.name}`;
    append(contents, content.appliance, await buildContent({ ...content, name }, context));
  }
  return { kit: kit.digest, images: layersByPath(request.blueprint, built), contents };
}

/** Builds images of Debian packages where they are not stored yet. @returns one entry per image, by `NAME@VERSION` */
export async function buildNeeded(
  images: readonly NeededImage[],
  context: BuildContext,
): Promise<ReadonlyMap<string, BuiltImage>> {
  const built = await buildImages(images.map(requestOf), context);
  return new Map(
    images.flatMap((image, index) => {
      const result = built[index];
      return result === undefined ? [] : [[keyOf(image), result] as const];
    }),
  );
}

/**
 * Gives the closure as far as it is made, and names what is missing. Builds nothing.
 *
 * In place of a missing layer stands a descriptor of no bytes, which serves to plan with and for nothing else.
 */
export async function findClosure(
  request: ClosureRequest,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<{ readonly closure: Closure; readonly missing: readonly string[] }> {
  const missing: string[] = [];
  const standIn = (what: string): Descriptor => {
    missing.push(what);
    return { mediaType: layerMediaType, digest: digestOf(what), size: 0 };
  };
  const kit = (await findKit(request.kitSources, context))?.digest ?? standIn('kit').digest;
  const found = new Map<string, { readonly layers: readonly Descriptor[] }>();
  for (const image of request.images) {
    const stored = await findImage(requestOf(image), context);
    found.set(keyOf(image), stored ?? { layers: [standIn(`image ${keyOf(image)}`)] });
  }
  const contents = new Map<string, readonly Descriptor[]>();
  for (const content of request.contents) {
    const stored = await findContent(content, context);
    append(contents, content.appliance, stored ?? standIn(`content ${content.appliance}/${content.name}`));
  }
  return { closure: { kit, images: layersByPath(request.blueprint, found), contents }, missing };
}

function keyOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}@${version}`;
}

function append(lists: Map<string, readonly Descriptor[]>, path: string, layer: Descriptor): void {
  lists.set(path, [...(lists.get(path) ?? []), layer]);
}

function layersByPath(
  { appliances }: Blueprint,
  images: ReadonlyMap<string, { readonly layers: readonly Descriptor[] }>,
): ReadonlyMap<string, readonly Descriptor[]> {
  const layersOf = ({ uses }: BlueprintAppliance) => images.get(keyOf(uses))?.layers;
  return new Map(
    appliances.flatMap((appliance) => {
      const layers = layersOf(appliance);
      return layers === undefined ? [] : [[appliance.path, layers] as const];
    }),
  );
}

function requestOf({ name, version, image, setup }: NeededImage): ImageRequest {
  if (image.kind === 'packages') return { name, version, image, ...(setup !== undefined && { setup }) };
  throw new EngineError('IMAGE_MISSING', `the image of ${name}@${version} is not made of Debian packages`, {
    hint: 'This version of Sheaf builds and runs images made of `packages` only.',
  });
}
