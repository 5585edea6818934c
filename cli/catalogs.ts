import type { Catalog, SigningKey } from '../catalog/index.ts';
import type { Report } from '../engine/index.ts';
import type { Blobs } from '../engine/model/blob.ts';
import type { ImageFetcher } from '../engine/model/image-fetcher.ts';

/** What the command line says about catalogs and trust. */
export type CatalogOptions = {
  /** Folders and `oci://host/path`; those of the settings when absent. */
  readonly catalog?: readonly string[];
  /** `files`: bundles that come as files are taken, since they are only looked at; catalogs are not. */
  readonly insecure?: true | 'files';
};

/** What the verbs that handle catalogs are given, put together beside the engine. */
export interface Catalogs {
  /** Opens one catalog. @param key - signs what is written there, and so counts there */
  open(place: string, report: Report, key?: SigningKey): Promise<Catalog>;
  /** Opens those that are asked when none is named. */
  usual(report: Report): Promise<readonly Catalog[]>;
  /** The store of this home. */
  blobs(): Promise<Blobs>;
  /** @param passphraseFile - read for a key that is locked; else the terminal is asked */
  readKey(file: string, passphraseFile: string | undefined): Promise<SigningKey>;
  /** The trust policy of this user. */
  readonly trustFile: string;
  /** What fetches images that descriptions name by registry and digest. */
  readonly images: ImageFetcher;
  close(): Promise<void>;
}
