import { type Digest, isDigest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';

/** A JSON object of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The largest manifest, index or configuration that is read; registries allow as much. */
export const jsonBlobLimit = 4 * 2 ** 20;

/** Reads a stored text as a JSON object. @throws EngineError BLOB_CORRUPT */
export function parseJsonBlob(content: Uint8Array, digest: Digest): JsonObject {
  try {
    return objectOf(JSON.parse(Buffer.from(content).toString()), digest);
  } catch (cause) {
    throw cause instanceof EngineError ? cause : unreadable(digest, 'is no JSON', cause);
  }
}

/** Tells whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Passes a JSON object on. @throws EngineError BLOB_CORRUPT */
export function objectOf(value: unknown, digest: Digest): JsonObject {
  if (isObject(value)) return value;
  throw unreadable(digest, 'is not made as OCI images are');
}

/** Passes a JSON array on. @throws EngineError BLOB_CORRUPT */
export function listOf(value: unknown, digest: Digest): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unreadable(digest, 'is not made as OCI images are');
}

/** Reads a descriptor. @throws EngineError BLOB_CORRUPT */
export function descriptorOf(value: unknown, digest: Digest): Descriptor {
  const part = objectOf(value, digest);
  const { mediaType, size } = part;
  const named = part['digest'];
  if (typeof mediaType !== 'string' || typeof named !== 'string' || !isDigest(named) || !isSize(size))
    throw unreadable(digest, 'has a descriptor without type, digest or size');
  return { mediaType, digest: named, size };
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Makes the error for a blob that is not what it is taken for. */
export function unreadable(digest: Digest, what: string, cause?: unknown): EngineError {
  return new EngineError('BLOB_CORRUPT', `the blob ${digest} ${what}`, {
    hint: 'Build or pull the image again.',
    details: { digest },
    cause,
  });
}
