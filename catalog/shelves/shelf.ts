import type { Descriptor } from '../../engine/model/blob.ts';
import type { Repository } from './repository.ts';

/** Where a catalog lies: a folder, or a path of a registry. Each name has a repository of its own below it. */
export interface Shelf {
  /** As it is written on the command line and in rules of trust: an absolute folder, or `oci://host/path`. */
  readonly name: string;
  /**
   * Opens the repository of a name.
   *
   * @param mountFrom - names whose repositories may have a blob already, the likeliest first
   */
  repository(name: string, mountFrom?: (blob: Descriptor) => readonly string[]): Repository;
  /** Runs an act that writes manifests, alone as far as the place can promise that. */
  exclusively<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T>;
}
