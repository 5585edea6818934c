import { requireTools } from '../command.ts';
import type { Compiled } from '../compile/compile.ts';
import { lockOf, withoutBundles } from '../compile/lock.ts';
import { canonicalJson, digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import { buildContent } from '../images/build-content.ts';
import type { BuildContext } from '../images/context.ts';
import { buildKit } from '../images/kit.ts';
import { loadImage } from '../images/load-image.ts';
import { makeImages } from '../images/make-images.ts';
import { neededTools } from '../images/needed-tools.ts';
import { storeSbom } from '../images/sbom.ts';
import type { Descriptor } from '../model/blob.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { NamedKit } from '../model/kit.ts';
import { memberOf } from '../model/members.ts';
import {
  isBomb,
  type PackedContent,
  type PackedImage,
  type PackedKit,
  type PackingList,
  partMediaTypes,
} from '../model/packing-list.ts';
import type { Source } from '../model/source.ts';
import { blueprintRevision } from './blueprint-revision.ts';
import type { SourceFiles } from './files-to-pack.ts';

/** What is packed: a source without errors, and what was made of it. */
export type PackRequest = {
  readonly source: Source;
  readonly compiled: Compiled;
  /** Compiled without inputs; null when that is not possible. */
  readonly blueprint: Blueprint | null;
  /** What `filesToPack` listed. */
  readonly files: SourceFiles;
  /** Folder of the kit's sources. */
  readonly kitSources: string;
};

/**
 * Makes the packing list of a source, and stores every part that it names; what is stored already costs no work.
 *
 * @throws EngineError of `buildKit`, `makeImages`, `buildContent`
 */
export async function makePackingList(request: PackRequest, context: BuildContext): Promise<PackingList> {
  const { source, compiled, blueprint, files: packed } = request;
  const { blobs } = context;
  const { kind, value } = source.root;
  const title = memberOf(value, 'title');
  const { files, places } = packed;
  const stored: (readonly [string, Descriptor])[] = [];
  for (const [path, { kind: type, text }] of files) {
    const [digest, size] = [await blobs.write(text), Buffer.byteLength(text)];
    stored.push([path, { mediaType: partMediaTypes[type], digest, size }]);
  }
  const kitSources = kind === 'application' ? request.kitSources : undefined;
  await requireTools(await neededTools(compiled.images, kitSources, context));
  const kit = kitSources === undefined ? undefined : await buildKit({ sources: kitSources, ...context });
  const built = await makeImages(compiled.images, context);
  const images = await Promise.all(
    [...built].map(async ([key, { manifest }]) => {
      const image = await loadImage(manifest.digest, blobs);
      const { config, layers } = image;
      const sbom = image.packages.length > 0 ? (await storeSbom(image, key, context)).document : undefined;
      return [key, { manifest, config, layers, ...(sbom && { sbom }) } satisfies PackedImage] as const;
    }),
  );
  const contents: PackedContent[] = [];
  for (const content of compiled.contents) {
    const { appliance, name, to, digest } = content;
    const layer = await buildContent({ ...content, name: `${appliance}/${name}` }, context);
    const unpackedBytes = content.entries.reduce(
      (sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0),
      0,
    );
    if (isBomb(layer.size, unpackedBytes)) {
      throw new EngineError(
        'IMAGE_FAILED',
        `the content ${appliance}/${name} is nearly all empty bytes, which no bundle may unpack to`,
        {
          hint: 'Let the program make such files when it starts, on a volume.',
        },
      );
    }
    contents.push({ appliance, name, to, digest, layer });
  }
  return {
    apiVersion: 'sheaf/v1',
    kind: 'PackingList',
    packs: kind,
    name: String(memberOf(value, 'name')),
    version: String(memberOf(value, 'version')),
    ...(typeof title === 'string' && { title }),
    platform: 'linux/amd64',
    lock: withoutBundles(lockOf(source)),
    files: Object.fromEntries(stored),
    places: Object.fromEntries(places),
    contents: contents.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)),
    images: Object.fromEntries(images),
    ...(kit !== undefined && { kit: packedKit(kit) }),
    ...(blueprint !== null && {
      blueprint: { revision: blueprintRevision, digest: digestOf(canonicalJson(blueprint)) },
    }),
  };
}

function placeOf({ appliance, name }: PackedContent): string {
  return `${appliance} ${name}`;
}

/** Names a kit's text and parts. */
function packedKit({ digest, kit }: NamedKit): PackedKit {
  const size = Buffer.byteLength(canonicalJson(kit));
  const { kernel, initramfs, modules, supervisor, attendant } = kit;
  return {
    list: { mediaType: partMediaTypes.kit, digest, size },
    parts: [kernel, initramfs, modules, supervisor, attendant],
  };
}
