import { compile } from '../../engine/compile/compile.ts';
import { load } from '../../engine/compile/load.ts';
import { lockOf } from '../../engine/compile/lock.ts';
import { canonicalJson, type Digest, digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import type { PackedSource } from '../../engine/model/packed-source.ts';
import { type PackingList, partMediaTypes } from '../../engine/model/packing-list.ts';
import { blueprintRevision } from '../../engine/packing/blueprint-revision.ts';
import { filesToPack } from '../../engine/packing/files-to-pack.ts';
import { withoutInputs } from '../../engine/packing/load-packed.ts';
import { checkTemplate } from '../../engine/render/check-template.ts';

/** Packs a folder without building anything: its images have one layer that does not exist. */
export async function packedSource(
  folder: string,
  catalogs: readonly string[] = [],
  change: (list: PackingList) => PackingList = (list) => list,
): Promise<PackedSource> {
  const { source, compiled } = await load(folder, null, { catalogs, workingDirectory: folder });
  const { blueprint } = compile(source, withoutInputs, checkTemplate);
  const { files, places } = filesToPack(source);
  const texts = new Map<Digest, Buffer>();
  const add = (mediaType: string, text: string) => {
    const bytes = Buffer.from(text);
    texts.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf('layer'),
    size: 5,
  };
  const config = add(
    'application/vnd.oci.image.config.v1+json',
    canonicalJson({ rootfs: { diff_ids: [digestOf('tar')] } }),
  );
  const manifest = add('application/vnd.oci.image.manifest.v1+json', canonicalJson({ config }));
  const kit = add(partMediaTypes.kit, '{}');
  const list = change({
    apiVersion: 'sheaf/v1',
    kind: 'PackingList',
    packs: source.root.kind,
    name: 'pair',
    version: '1.0.0',
    platform: 'linux/amd64',
    lock: lockOf(source),
    files: Object.fromEntries(
      [...files].map(([path, { kind, text }]) => [path, add(partMediaTypes[kind], text)]),
    ),
    places: Object.fromEntries(places),
    contents: compiled.contents.map(({ appliance, name, to, digest }) => ({
      appliance,
      name,
      to,
      digest,
      layer,
    })),
    images: Object.fromEntries(
      compiled.images.map(({ name, version }) => [
        `${name}@${version}`,
        { manifest, config, layers: [layer] },
      ]),
    ),
    kit: { list: kit, parts: [layer] },
    ...(blueprint && {
      blueprint: { revision: blueprintRevision, digest: digestOf(canonicalJson(blueprint)) },
    }),
  });
  return {
    list,
    digest: digestOf(canonicalJson(list)),
    readFile: async (digest) => {
      const bytes = texts.get(digest);
      if (bytes === undefined) throw new EngineError('BUNDLE_INCOMPLETE', `${digest} is not there`);
      return bytes;
    },
    storeParts: async () => undefined,
    close: async () => undefined,
  };
}
