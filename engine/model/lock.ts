import type { Digest } from '../digest.ts';

/** The version that was chosen for one path. */
export type LockedAppliance = {
  readonly name: string;
  readonly version: string;
  /** Of its description, templates, setup script and disk. */
  readonly digest: Digest;
  /** The identity of the bundle, when it came out of a catalog; its image is the one in there. */
  readonly bundle?: Digest;
};

/** One Debian package as it was built in. */
export type LockedPackage = { readonly version: string; readonly sha256: string };

/** Debian packages by name. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

/** The exact packages of one image: those of the layer that all images of its suite share, and its own; where
 * the latter are absent, the newest are taken. */
export type ImagePins = { readonly base: LockedPackages; readonly own?: LockedPackages };

/** What `sheaf.lock` holds: the choices of an application, by path. */
export type Lock = {
  readonly apiVersion: 'sheaf/v1';
  readonly kind: 'Lock';
  /** By path: `web`, nested `shop/web`; assemblies stand under theirs. */
  readonly appliances: Readonly<Record<string, LockedAppliance>>;
  readonly kit?: Digest;
  /** By platform (`linux/amd64`), then by suite (`bookworm`, its base layer) or appliance and version (`php@1.0.0`). */
  readonly platforms?: Readonly<Record<string, Readonly<Record<string, LockedPackages>>>>;
};
