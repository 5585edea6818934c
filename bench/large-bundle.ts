import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BlobSource, type BundleContents, contentsOf } from '../catalog/index.ts';
import { canonicalJson, type Digest, digestOf } from '../engine/digest.ts';
import type { Descriptor } from '../engine/model/blob.ts';

/** A bundle for measurements, whose parts lie in a folder. */
export type LargeBundle = {
  readonly contents: BundleContents;
  readonly source: BlobSource;
  readonly bytes: number;
};

/**
 * Makes layers of gzipped random text, which unpack to a third more than they are.
 *
 * @param folder - keeps the parts, by digest
 */
export function makeLayers(
  folder: string,
  count: number,
  bytes: number,
): readonly (Descriptor & { readonly diffId: Digest })[] {
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: count }, () => {
    const tar = Buffer.from(randomBytes(bytes).toString('base64'));
    const content = gzipSync(tar, { level: 1 });
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    return { ...keep(folder, mediaType, content), diffId: digestOf(tar) };
  });
}

/** Makes a bundle of an appliance with one image. */
export function largeBundle(
  folder: string,
  version: string,
  layers: readonly (Descriptor & { readonly diffId: Digest })[],
): LargeBundle {
  const plain = layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  const rootfs = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) };
  const settings = { architecture: 'amd64', os: 'linux', rootfs };
  const config = keep(folder, 'application/vnd.oci.image.config.v1+json', canonicalJson(settings));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const image = { schemaVersion: 2, mediaType, config, layers: plain };
  const manifest = keep(folder, mediaType, canonicalJson(image));
  const text = `apiVersion: sheaf/v1\nkind: Appliance\nname: large\nversion: ${version}\n`;
  const contents = contentsOf({
    apiVersion: 'sheaf/v1',
    kind: 'PackingList',
    packs: 'appliance',
    name: 'large',
    version,
    platform: 'linux/amd64',
    lock: { apiVersion: 'sheaf/v1', kind: 'Lock', appliances: {} },
    files: { 'appliance.yaml': keep(folder, 'application/vnd.sheaf.description.v1+yaml', text) },
    places: {},
    contents: [],
    images: { [`large@${version}`]: { manifest, config, layers: plain } },
  });
  const open = async function* ({ digest }: Descriptor): AsyncGenerator<Uint8Array> {
    const bytes = readFileSync(join(folder, digest.slice('sha256:'.length)));
    for (let at = 0; at < bytes.length; at += 2 ** 20) yield bytes.subarray(at, at + 2 ** 20);
  };
  return { contents, source: { open }, bytes: plain.reduce((sum, { size }) => sum + size, 0) };
}

function keep(folder: string, mediaType: string, content: Uint8Array | string): Descriptor {
  const digest = createHash('sha256').update(content).digest('hex');
  writeFileSync(join(folder, digest), content);
  return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(content) };
}
