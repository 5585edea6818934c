import type { Digest } from '../digest.ts';
import type { Blobs, Refs } from '../model/blob.ts';
import type { Report } from '../model/event.ts';
import type { ImageFetcher } from '../model/image-fetcher.ts';
import type { BuiltImage, ImageRequest } from './build-image.ts';

/** What building an image takes besides its description. */
export type BuildContext = {
  readonly blobs: Blobs;
  readonly refs: Refs;
  /** Folder for unfinished work; what killed processes left in it is removed. */
  readonly scratch: string;
  /** Folder for what only saves time: package lists and downloaded packages. */
  readonly cache: string;
  /** Absent where no registry can be asked. */
  readonly images?: ImageFetcher;
  /** Builds images that are not all stored, for a user who is not root; absent where only root can. */
  readonly buildApart?: (requests: readonly ImageRequest[]) => Promise<readonly BuiltImage[]>;
  /** Stores all parts of the bundle with this identity, verified; absent where no catalog can be asked. */
  readonly storePublished?: (identity: Digest) => Promise<void>;
  readonly signal: AbortSignal;
  readonly report: Report;
};
