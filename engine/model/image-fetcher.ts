import type { Digest } from '../digest.ts';

/** One part of an image at a registry: a manifest or index, or a configuration or layer. */
export type ImagePart =
  | { readonly kind: 'manifest'; readonly digest: Digest }
  | { readonly kind: 'blob'; readonly digest: Digest; readonly size: number; readonly mediaType: string };

/** Fetches parts of images from registries. Whoever asks checks digests and sizes while reading. */
export interface ImageFetcher {
  /**
   * Opens a part; its bytes are read as they come.
   *
   * @param repository - as written in a description, without the digest: `registry.example.com/team/name`
   * @throws EngineError when the registry cannot be reached, refuses, or does not have it
   */
  open(repository: string, part: ImagePart, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}
