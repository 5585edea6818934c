import type { Descriptor } from '../../engine/model/blob.ts';

/** A manifest as it was read: its bytes have the digest and size of its descriptor. */
export type StoredManifest = { readonly descriptor: Descriptor; readonly bytes: Uint8Array };

/** Where bytes come from, by descriptor, from anywhere in them on. */
export interface SeekableSource {
  /**
   * Streams a blob from an offset on.
   *
   * The digest is checked when the end is reached and the offset is 0; whoever asks for a part checks the whole.
   */
  open(blob: Descriptor, signal: AbortSignal, offset?: number): AsyncIterable<Uint8Array>;
}

/** Where blobs, manifests and tags lie together: a folder or a registry's repository. */
export interface Repository extends SeekableSource {
  /** For messages: `oci://host/path`, or the folder. */
  readonly name: string;
  /** It takes a manifest only with all the blobs that this names. */
  readonly checksManifests: boolean;
  /** @param reference - a tag or a digest @returns undefined when there is none */
  manifest(reference: string, signal: AbortSignal): Promise<StoredManifest | undefined>;
  has(blob: Descriptor, signal: AbortSignal): Promise<boolean>;
  /**
   * Stores a blob that is lacking, from wherever it can be had with the least bytes.
   *
   * @param sent - told the bytes as they go
   * @param isNew - nobody can have stored it before, so that nobody need be asked
   * @returns how it came there: `mounted` cost no bytes
   */
  put(
    blob: Descriptor,
    source: SeekableSource,
    signal: AbortSignal,
    sent: (bytes: number) => void,
    isNew?: boolean,
  ): Promise<'present' | 'mounted' | 'sent'>;
  /** Stores a manifest, whose blobs must be there, under its digest and, when given, a tag; a tag that exists moves. */
  putManifest(manifest: StoredManifest, tag: string | undefined, signal: AbortSignal): Promise<void>;
  /** Lists all tags, sorted; none when the repository does not exist. */
  tags(signal: AbortSignal): Promise<readonly string[]>;
}
