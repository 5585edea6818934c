import type { Descriptor } from '../../engine/model/blob.ts';

/** Where parts come from: a bundle, a store, a registry. */
export interface BlobSource {
  /** Opens the bytes; the stream ends with an error when they are not those that the descriptor names. */
  open(part: Descriptor): AsyncIterable<Uint8Array>;
}

/** Where parts go. */
export interface BlobSink {
  has(part: Descriptor): Promise<boolean>;
  /** Takes the bytes, verifies them, and keeps them only when they are whole. */
  write(part: Descriptor, content: AsyncIterable<Uint8Array>): Promise<void>;
}
