import type { Digest } from '../digest.ts';
import type { Descriptor } from './blob.ts';
import type { Lock } from './lock.ts';
import type { DescriptionKind } from './source.ts';

/** The media types of parts that are not OCI's and belong to no kit. */
export const partMediaTypes = {
  description: 'application/vnd.sheaf.description.v1+yaml',
  /** A template or a set-up script. */
  file: 'application/vnd.sheaf.file.v1',
  kit: 'application/vnd.sheaf.kit.v1+json',
  /** A bill of materials, CycloneDX JSON: its makers' own type. */
  sbom: 'application/vnd.cyclonedx+json',
} as const;

/**
 * How far a layer may unpack: no honest layer is both that large and that empty.
 *
 * @param layerBytes - of the layer as it is stored
 * @param unpackedBytes - of what was unpacked so far
 */
export function isBomb(layerBytes: number, unpackedBytes: number): boolean {
  return unpackedBytes > 256 * 2 ** 20 && unpackedBytes > 250 * layerBytes;
}

/** A file of a description, by its path in the packed folder, such as `appliances/php/1.0.0/site.njk`. */
export type PackedFiles = Readonly<Record<string, Descriptor>>;

/** Something that a description names and that is empty in the packed folder. */
export type PackedPlace = { readonly kind: 'folder' | 'disk'; readonly digest: Digest };

/** A content folder that became a layer: only the layer travels. */
export type PackedContent = {
  /** Path of the appliance that it fills. */
  readonly appliance: string;
  /** Name of the place. */
  readonly name: string;
  /** Absolute folder in the guest. */
  readonly to: string;
  /** Of the folder's canonical listing, as the blueprint names it. */
  readonly digest: Digest;
  readonly layer: Descriptor;
};

/** An appliance's image with all that its manifest names. */
export type PackedImage = {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** The bill of materials; absent where nobody said what the image is made of. */
  readonly sbom?: Descriptor;
};

/** The guest kit: the text that names it, and its parts by the text's order of keys. */
export type PackedKit = { readonly list: Descriptor; readonly parts: readonly Descriptor[] };

/**
 * A locked application, appliance or assembly: every digest that it takes to run it.
 *
 * Its canonical JSON is the configuration of a bundle, and the digest of that text is the bundle's identity. Same
 * sources and lock, same bytes.
 */
export type PackingList = {
  readonly apiVersion: 'sheaf/v1';
  readonly kind: 'PackingList';
  /** What is packed. */
  readonly packs: DescriptionKind;
  readonly name: string;
  readonly version: string;
  readonly title?: string;
  readonly platform: 'linux/amd64';
  readonly lock: Lock;
  readonly files: PackedFiles;
  /**
   * Content folders and disks that descriptions name, by path in the packed folder: the digest of a folder's canonical
   * listing, or of the disk's bytes. What they hold travels as layers.
   */
  readonly places: Readonly<Record<string, PackedPlace>>;
  /** By appliance path and name. */
  readonly contents: readonly PackedContent[];
  /** By `NAME@VERSION` of the appliance. */
  readonly images: Readonly<Record<string, PackedImage>>;
  /** Absent for what cannot be deployed by itself. */
  readonly kit?: PackedKit;
  /**
   * Of the blueprint that the description compiles to without inputs; absent when it has mandatory parameters.
   * Whoever compiles by the same revision must get the same.
   */
  readonly blueprint?: { readonly revision: number; readonly digest: Digest };
};
