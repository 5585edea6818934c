import { randomBytes } from 'node:crypto';
import { contentsOf } from '../../catalog/format/root-manifest.ts';
import type { OpenContents } from '../../catalog/trust/sign-bundle.ts';
import { digestOf } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { PackingList } from '../../engine/model/packing-list.ts';

/** Makes a bundle of an appliance with a description and a layer, in memory. */
export function samplePublication(
  options: {
    readonly name?: string;
    readonly version?: string;
    readonly layer?: Uint8Array;
    readonly description?: string;
  } = {},
): OpenContents {
  const { name = 'php', version = '1.0.0', layer = randomBytes(50_000) } = options;
  const text =
    options.description ??
    [
      `apiVersion: sheaf/v1`,
      `kind: Appliance`,
      `name: ${name}`,
      `version: ${version}`,
      `description: Serves PHP programs`,
      `terminals: {in: {direction: in, protocol: http, port: 80}, db: {direction: out, protocol: postgresql}}`,
    ].join('\n');
  const bytes = new Map<string, Uint8Array>();
  const keep = (mediaType: string, content: Uint8Array | string): Descriptor => {
    const digest = digestOf(content);
    bytes.set(digest, Buffer.from(content));
    return { mediaType, digest, size: Buffer.byteLength(content) };
  };
  const config = keep('application/vnd.oci.image.config.v1+json', '{}');
  const layers = [keep('application/vnd.oci.image.layer.v1.tar+gzip', layer)];
  const manifest = keep('application/vnd.oci.image.manifest.v1+json', JSON.stringify({ config, layers }));
  const description = keep('application/vnd.sheaf.description.v1+yaml', text);
  const list = {
    apiVersion: 'sheaf/v1',
    kind: 'PackingList',
    packs: 'appliance',
    name,
    version,
    title: 'PHP application server',
    platform: 'linux/amd64',
    lock: { apiVersion: 'sheaf/v1', kind: 'Lock', appliances: {} },
    files: { 'appliance.yaml': description },
    places: {},
    contents: [],
    images: { [`${name}@${version}`]: { manifest, config, layers } },
  } satisfies PackingList;
  return {
    contents: contentsOf(list),
    source: {
      open: async function* ({ digest }) {
        yield bytes.get(digest) ?? new Uint8Array();
      },
    },
  };
}
