import type { Digest } from '../digest.ts';
import type { Descriptor } from './blob.ts';
import type { ImageSource } from './blueprint.ts';
import type { ContentEntry } from './content-listing.ts';
import type { ImageDefaults } from './image-defaults.ts';
import type { ImagePins } from './lock.ts';
import type { PackedImage } from './packing-list.ts';

/** Everything that is run, by digest: what was built for a blueprint. */
export type Closure = {
  readonly kit: Digest;
  /** The image's layers by appliance path, lowest first. */
  readonly images: ReadonlyMap<string, readonly Descriptor[]>;
  /** By appliance path, what images that were not made by Sheaf say of running them. */
  readonly defaults?: ReadonlyMap<string, ImageDefaults>;
  /** The contents' layers by appliance path, in the blueprint's order; absent where there are none. */
  readonly contents: ReadonlyMap<string, readonly Descriptor[]>;
};

/** An image that the application needs. */
export type NeededImage = {
  /** Of the appliance. */
  readonly name: string;
  readonly version: string;
  readonly image: ImageSource;
  /** Text of the setup script. */
  readonly setup?: string;
  /** The appliance's folder on this machine, absolute. */
  readonly folder: string;
  /** What the lock says of its packages; the newest are taken when absent. */
  readonly pins?: ImagePins;
  /** Built anew from the newest packages although it is stored: its own layer, or that which its suite shares as well. */
  readonly renews?: 'own' | 'all';
  /** Of an appliance out of a catalog: the image in its bundle, which is taken as it is. */
  readonly published?: { readonly identity: Digest; readonly image: PackedImage };
};

/** A folder of the application that fills a place of an appliance. */
export type PlacedContent = {
  /** Path of the appliance. */
  readonly appliance: string;
  readonly name: string;
  /** Absolute folder on this machine. */
  readonly folder: string;
  /** Absolute folder in the guest. */
  readonly to: string;
  /** Of the canonical listing. */
  readonly digest: Digest;
  /** Sorted by path. */
  readonly entries: readonly ContentEntry[];
  /** Of an assembly out of a catalog: the layer in its bundle, which is taken as it is. */
  readonly published?: { readonly identity: Digest; readonly layer: Descriptor };
};

/** What a blueprint names by digest and must be made, or found, before it can run. */
export type NeededParts = {
  /** Texts of the templates that the blueprint names; `source` is for messages, relative to the appliance's folder. */
  readonly templates: ReadonlyMap<Digest, { readonly text: string; readonly source: string }>;
  /** In the order of the descriptions. */
  readonly contents: readonly PlacedContent[];
  /** One for each appliance and version, in the order of their first use; empty when there are errors. */
  readonly images: readonly NeededImage[];
};
