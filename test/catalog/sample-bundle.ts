import { gzipSync } from 'node:zlib';
import { type BlobSource, type BundleContents, contentsOf, mediaTypes } from '../../catalog/index.ts';
import { canonicalJson, type Digest, digestOf } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { PackingList } from '../../engine/model/packing-list.ts';

/** A bundle of a few kilobytes, with one part of each kind. */
export type SampleBundle = {
  readonly list: PackingList;
  readonly contents: BundleContents;
  /** Every part but root and config. */
  readonly bytes: ReadonlyMap<Digest, Buffer>;
  readonly source: BlobSource;
};

/** What a test may have otherwise. */
export type SampleChanges = {
  readonly version?: string;
  /** The tar that the image's own layer unpacks to. */
  readonly tar?: Buffer;
  /** Of that layer, as the image says it. */
  readonly diffId?: Digest;
  readonly change?: (list: PackingList) => PackingList;
};

/** Makes a bundle whose layers are no real ones; nothing but running it asks for that. */
export function sampleBundle({
  version = '1.0.0',
  tar = Buffer.from('own layer'),
  diffId = digestOf(tar),
  change = (list) => list,
}: SampleChanges = {}): SampleBundle {
  const bytes = new Map<Digest, Buffer>();
  const add = (mediaType: string, content: string | Buffer): Descriptor => {
    const buffer = Buffer.from(content);
    const digest = digestOf(buffer);
    bytes.set(digest, buffer);
    return { mediaType, digest, size: buffer.length };
  };
  const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const base = Buffer.from('base layer');
  const layers = [add(layerType, gzipSync(base)), add(layerType, gzipSync(tar))];
  const config = add(
    'application/vnd.oci.image.config.v1+json',
    canonicalJson({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(base), diffId] },
    }),
  );
  const manifest = add(
    mediaTypes.manifest,
    canonicalJson({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers }),
  );
  const sbom = add(mediaTypes.sbom, canonicalJson({ bomFormat: 'CycloneDX', components: [] }));
  const parts = ['kernel', 'initramfs'].map((name) => add(`application/vnd.sheaf.kit.${name}.v1`, name));
  const kit = add(mediaTypes.kit, canonicalJson({ kind: 'Kit', kernel: parts[0], initramfs: parts[1] }));
  const list = change({
    apiVersion: 'sheaf/v1',
    kind: 'PackingList',
    packs: 'application',
    name: 'sample',
    version,
    platform: 'linux/amd64',
    lock: {
      apiVersion: 'sheaf/v1',
      kind: 'Lock',
      appliances: { web: { name: 'web', version: '1.0.0', digest: digestOf('web') } },
    },
    files: {
      'application.yaml': add(mediaTypes.description, `version: ${version}`),
      'appliances/web/1.0.0/appliance.yaml': add(mediaTypes.description, 'name: web'),
      'appliances/web/1.0.0/site.njk': add(mediaTypes.file, 'site'),
    },
    places: { app: { kind: 'folder', digest: digestOf('app') } },
    contents: [
      {
        appliance: 'web',
        name: 'app',
        to: '/srv/app',
        digest: digestOf('app'),
        layer: add(layerType, gzipSync('content')),
      },
    ],
    images: { 'web@1.0.0': { manifest, config, layers, sbom } },
    kit: { list: kit, parts },
    blueprint: { revision: 1, digest: digestOf('blueprint') },
  });
  const source: BlobSource = {
    open: async function* (part) {
      yield bytes.get(part.digest) ?? Buffer.alloc(0);
    },
  };
  return { list, contents: contentsOf(list), bytes, source };
}

/** What long calls of the catalog take. */
export const quiet = { signal: new AbortController().signal, report: () => undefined };
