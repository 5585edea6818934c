import type { Digest } from '../../engine/digest.ts';
import type { BundleForm } from './layout.ts';
import type { BundleFile } from './open-bundle.ts';
import { signaturesOf } from './root-manifest.ts';

/** What a bundle is, for people and programs. */
export type Inspection = {
  /** The identity. */
  readonly digest: Digest;
  readonly manifest: Digest;
  readonly packs: 'application' | 'assembly' | 'appliance';
  readonly name: string;
  readonly version: string;
  readonly title?: string;
  readonly platform: string;
  readonly form: BundleForm;
  readonly base?: Digest;
  /** Of the file. */
  readonly bytes: number;
  /** Of all parts that the bundle names, in the file or not. */
  readonly totalBytes: number;
  readonly appliances: readonly {
    readonly path: string;
    readonly name: string;
    readonly version: string;
    /** Of the image's manifest; absent for an assembly. */
    readonly image?: Digest;
    readonly imageBytes?: number;
    /** Of its bill of materials; absent where nobody said what it is made of. */
    readonly sbom?: Digest;
  }[];
  readonly contents: readonly { readonly appliance: string; readonly name: string; readonly bytes: number }[];
  readonly kit?: Digest;
  readonly signatures: number;
  /** What a server needs to run it with the network off. */
  readonly prerequisites: readonly string[];
};

/** Describes a bundle. Reads nothing but what opening it has read. */
export function inspect(bundle: BundleFile, prerequisites: readonly string[]): Inspection {
  const { contents, note, bytes } = bundle;
  const { list, manifest, root } = contents;
  const parts = [root, manifest.config, ...manifest.layers];
  return {
    digest: manifest.config.digest,
    manifest: root.digest,
    packs: list.packs,
    name: list.name,
    version: list.version,
    ...(list.title !== undefined && { title: list.title }),
    platform: list.platform,
    form: note.form,
    ...(note.base !== undefined && { base: note.base }),
    bytes,
    totalBytes: parts.reduce((sum, { size }) => sum + size, 0),
    appliances: Object.entries(list.lock.appliances)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, { name, version }]) => {
        const image = list.images[`${name}@${version}`];
        if (image === undefined) return { path, name, version };
        const imageBytes = image.layers.reduce((sum, { size }) => sum + size, 0);
        const sbom = image.sbom && { sbom: image.sbom.digest };
        return { path, name, version, image: image.manifest.digest, imageBytes, ...sbom };
      }),
    contents: list.contents.map(({ appliance, name, layer }) => ({ appliance, name, bytes: layer.size })),
    ...(list.kit !== undefined && { kit: list.kit.list.digest }),
    signatures: signaturesOf(manifest).length,
    prerequisites,
  };
}
