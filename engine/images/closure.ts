import { requireTools } from '../command.ts';
import { digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { Closure, NeededParts } from '../model/closure.ts';
import { type ImageDefaults, servicesWith } from '../model/image-defaults.ts';
import { makeAttendant } from './attendant.ts';
import { buildContent, findContent } from './build-content.ts';
import type { BuildContext } from './context.ts';
import { buildKit, findKit } from './kit.ts';
import { layerMediaType } from './layer-blob.ts';
import { findNeeded, keyOf, type MadeImage, makeImages } from './make-images.ts';
import { neededTools } from './needed-tools.ts';

/** A compiled application, with what its digests name. */
export type ClosureRequest = NeededParts & {
  readonly blueprint: Blueprint;
  /** Folder of the kit's sources. */
  readonly kitSources: string;
};

/**
 * Makes everything that a blueprint runs, or finds it made already: the kit, images, contents; templates become blobs.
 *
 * @throws EngineError of `buildKit`, `makeImages`, `buildContent`
 */
export async function makeClosure(request: ClosureRequest, context: BuildContext): Promise<Closure> {
  await requireTools(await neededTools(request.images, request.kitSources, context));
  for (const { text } of request.templates.values()) await context.blobs.write(text);
  const kit = await buildKit({ sources: request.kitSources, ...context });
  await makeAttendant({ sources: request.kitSources, ...context });
  const made = await makeImages(request.images, context);
  checkRunnable(request.blueprint, made, context);
  const contents = new Map<string, readonly Descriptor[]>();
  for (const content of request.contents) {
    const name = `${content.appliance}/${content.name}`;
    append(contents, content.appliance, await buildContent({ ...content, name }, context));
  }
  return { kit: kit.digest, ...imagesByPath(request.blueprint, made), contents };
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
  const found = new Map<string, Pick<MadeImage, 'layers' | 'defaults'>>();
  for (const image of request.images) {
    const stored = await findNeeded(image, context);
    found.set(keyOf(image), stored ?? { layers: [standIn(`image ${keyOf(image)}`)] });
  }
  const contents = new Map<string, readonly Descriptor[]>();
  for (const content of request.contents) {
    const stored = await findContent(content, context);
    append(contents, content.appliance, stored ?? standIn(`content ${content.appliance}/${content.name}`));
  }
  return { closure: { kit, ...imagesByPath(request.blueprint, found), contents }, missing };
}

function append(lists: Map<string, readonly Descriptor[]>, path: string, layer: Descriptor): void {
  lists.set(path, [...(lists.get(path) ?? []), layer]);
}

/** Sorts images by the appliances that run them. */
export function imagesByPath(
  { appliances }: Blueprint,
  images: ReadonlyMap<string, Pick<MadeImage, 'layers' | 'defaults'>>,
): Pick<Closure, 'images' | 'defaults'> {
  const layers = new Map<string, readonly Descriptor[]>();
  const defaults = new Map<string, ImageDefaults>();
  for (const { path, uses } of appliances) {
    const image = images.get(keyOf(uses));
    if (image !== undefined) layers.set(path, image.layers);
    if (image?.defaults !== undefined) defaults.set(path, image.defaults);
  }
  return { images: layers, ...(defaults.size > 0 && { defaults }) };
}

/** Looks at what images of others say of running them: a program there must be, and data that will be lost is told. @throws EngineError IMAGE_FAILED */
export function checkRunnable(
  { appliances }: Blueprint,
  images: ReadonlyMap<string, Pick<MadeImage, 'defaults'>>,
  { report }: Pick<BuildContext, 'report'>,
): void {
  for (const { path, uses, services, volumes, terminals } of appliances) {
    const defaults = images.get(keyOf(uses))?.defaults;
    if (defaults === undefined) continue;
    if (servicesWith(services, defaults).length === 0)
      throw new EngineError('IMAGE_FAILED', `the image of ${keyOf(uses)} names no program to run`, {
        hint: 'Name one under services of the appliance.',
      });
    const lost = defaults.volumes.filter((folder) => !volumes.some(({ mount }) => mount === folder));
    if (lost.length > 0)
      report({
        type: 'warning',
        code: 'NOTE',
        message: `${path}: its image keeps data in ${lost.join(', ')}, which no volume of ${keyOf(uses)} holds: it is lost at each start`,
      });
    const isServed = ({ port, transport }: ImageDefaults['ports'][number]): boolean =>
      terminals.some(
        (each) => each.direction !== 'out' && each.port === port && each.transport === transport,
      );
    if (defaults.ports.length > 0 && !defaults.ports.some(isServed))
      report({
        type: 'warning',
        code: 'NOTE',
        message: `${path}: its image says that it listens on ${defaults.ports.map(({ port, transport }) => `${port}/${transport}`).join(', ')}, and no terminal of ${keyOf(uses)} has such a port`,
      });
  }
}
