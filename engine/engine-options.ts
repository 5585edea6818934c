import type { Readable, Writable } from 'node:stream';
import type { Digest } from './digest.ts';
import type { Driver } from './drivers/driver.ts';
import type { Blobs, Descriptor } from './model/blob.ts';
import type { Report } from './model/event.ts';
import type { ImageFetcher } from './model/image-fetcher.ts';
import type { OpenOuterCatalogs } from './model/outer-appliances.ts';
import type { OpenPacked } from './model/packed-source.ts';
import type { PackingList } from './model/packing-list.ts';
import type { Pool } from './model/pool.ts';
import type { TemplateKind } from './model/template-kind.ts';

/** What a driver is opened with. */
export type DriverParts = {
  readonly blobs: Blobs;
  /** The kit of this program's sources; undefined while it is not built. */
  readonly kit: () => Promise<Digest | undefined>;
  /**
   * The program of this installation that a driver may run on the host; compiled when it is not stored.
   *
   * @throws EngineError TOOL_MISSING
   */
  readonly attendant: (signal: AbortSignal) => Promise<Descriptor>;
};

/** What the engine works with; all paths are absolute. */
export type EngineOptions = {
  /** Folder of the state; made (0700) when absent. */
  readonly home: string;
  /** File with the key of the secrets; made when first needed. */
  readonly keyFile: string;
  /** Folders of appliances, in the order in which they are asked. */
  readonly catalogs: readonly string[];
  /** Folder of the guest kit's sources. */
  readonly kitSources: string;
  /** Folder of the templates from which descriptions are begun, one folder a kind. */
  readonly templates: string;
  /** Relative paths count from it, and files in problems are named relative to it. */
  readonly workingDirectory: string;
  /** The first one is taken when none is named. */
  readonly pools: readonly Pool[];
  readonly openDriver: (pool: Pool, parts: DriverParts) => Promise<Driver>;
  /** For appliances whose image lies at a registry; absent where none can be asked. */
  readonly images?: ImageFetcher;
  /** Opens sources that come packed; without it every source is a folder. */
  readonly openPacked?: OpenPacked;
  /** Opens the catalogs that are asked for appliances which no folder has; absent where there are none. */
  readonly openOuterCatalogs?: OpenOuterCatalogs;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Makes ids of 12 lower-case letters and digits, the first a letter. */
  readonly newId: () => string;
};

/** What a long call takes besides its subject. */
export type CallOptions = { readonly signal: AbortSignal; readonly report: Report };

/** What `pack` answers: all that a bundle is made of. */
export type PackAnswer = {
  readonly list: PackingList;
  /** Holds every part that the list names. */
  readonly blobs: Pick<Blobs, 'open'>;
};

/** What `lock` is asked for. */
export type LockRequest = {
  /** Names of appliances that may move to the newest allowed version and packages, of suites, or `kit`. */
  readonly update: readonly string[];
  /** Whether what is not stored is built, so that its packages are known. */
  readonly builds: boolean;
};

/** A lock that was written. */
export type LockAnswer = {
  readonly file: string;
  /** Names whose version, digest or packages changed, and `kit`. */
  readonly changed: readonly string[];
  /** Images (`php@1.0.0`) whose packages are not pinned, because they are not built here. */
  readonly unpinned: readonly string[];
};

/** One image, as `build` answers. */
export type BuildAnswer = {
  /** `php@1.0.0`. */
  readonly appliance: string;
  /** Of the image's manifest. */
  readonly digest: Digest;
  /** Of its layers, compressed. */
  readonly bytes: number;
  readonly wasCached: boolean;
  /** Of the bill of materials, a CycloneDX document in the store. */
  readonly sbom: Digest;
};

/** A command to run in an instance. @see ExecRequest */
export type ExecOptions = {
  readonly instance: string;
  readonly command: readonly string[];
  readonly user?: string;
  readonly stdin?: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signal: AbortSignal;
};

/** A description that was begun, as `init` answers. */
export type InitAnswer = {
  readonly kind: TemplateKind;
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  /** Relative to the folder, sorted. */
  readonly files: readonly string[];
};
