import type { Digest } from '../digest.ts';
import type { PackedCall, PackedSource } from './packed-source.ts';
import type { PackedContent, PackedImage } from './packing-list.ts';

/** A version of an appliance or assembly that a catalog has. */
export type OfferedVersion = {
  readonly name: string;
  readonly version: string;
  /** Of the packing list of its bundle. */
  readonly identity: Digest;
  /** Why it was withdrawn. */
  readonly yanked?: string;
};

/** A catalog, as far as appliances are looked up in it. */
export interface OuterCatalog {
  /** A folder, or `oci://host/path`. */
  readonly name: string;
  /** Lists what it has, or had when it was last seen; the latter asks nobody. */
  offers(as: 'now' | 'remembered'): Promise<readonly OfferedVersion[]>;
  /** Opens a version that it offers, and judges its signatures. @returns with what nobody trusted has signed marked as such */
  open(offered: OfferedVersion): Promise<{ readonly packed: PackedSource; readonly isTrusted: boolean }>;
}

/** Opens the catalogs that are configured, in the order in which they are asked; nothing is asked yet. */
export type OpenOuterCatalogs = (call: PackedCall) => Promise<{
  readonly catalogs: readonly OuterCatalog[];
  close(): Promise<void>;
}>;

/** What came with a description out of a bundle, and is taken instead of being built. */
export type Published = {
  /** Of the bundle. */
  readonly identity: Digest;
  /** By `NAME@VERSION`. */
  readonly images: Readonly<Record<string, PackedImage>>;
  readonly contents: readonly PackedContent[];
};

/** An appliance or assembly out of a catalog: its descriptions as a folder, with all that it uses in `appliances/`. */
export type FetchedAppliance = Published & {
  readonly name: string;
  readonly version: string;
  /** Absolute. */
  readonly folder: string;
  /** Digests of content folders and disks, which are empty here, by absolute path. */
  readonly places: ReadonlyMap<string, Digest>;
};

/** Gets appliances that no folder has. */
export interface OuterAppliances {
  catalogs(): Promise<readonly OuterCatalog[]>;
  /** Gives what was fetched before, asking nobody; undefined when it was not. */
  kept(identity: Digest): Promise<FetchedAppliance | undefined>;
  /** Fetches the descriptions of a version, and keeps them when somebody trusted has signed them. */
  fetch(catalog: OuterCatalog, offered: OfferedVersion): Promise<FetchedAppliance>;
}
