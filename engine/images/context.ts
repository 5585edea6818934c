import type { Blobs, Refs } from '../model/blob.ts';
import type { Report } from '../model/event.ts';
import type { ImageFetcher } from '../model/image-fetcher.ts';

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
  readonly signal: AbortSignal;
  readonly report: Report;
};
