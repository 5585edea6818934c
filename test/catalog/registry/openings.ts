import type { ExecutionContext } from 'ava';
import { openCredentials } from '../../../catalog/registry/credentials.ts';
import { openHttp } from '../../../catalog/registry/http.ts';
import { openRegistry, type Registry, type RegistryOptions } from '../../../catalog/registry/registry.ts';
import type { UploadMemory } from '../../../catalog/registry/upload.ts';
import type { SeekableSource } from '../../../catalog/shelves/repository.ts';
import type { Descriptor } from '../../../engine/model/blob.ts';
import { digestOf } from './small-registry.ts';

/** A signal that never fires. */
export const calm = new AbortController().signal;

/** Opens a registry that waits for nothing; `pauses` takes what it would have waited. */
export function openQuickly(
  t: ExecutionContext,
  host: string,
  options: Partial<RegistryOptions> & { readonly pauses?: number[]; readonly silenceMs?: number } = {},
): Registry {
  const http = openHttp({ silenceMs: options.silenceMs ?? 5_000 });
  t.teardown(() => http.close());
  return openRegistry(host, {
    http,
    findCredential: async () => undefined,
    uploads: rememberUploads(),
    patience: {
      now: Date.now,
      random: () => 0,
      attempts: 4,
      pause: async (milliseconds) => void options.pauses?.push(milliseconds),
    },
    ...options,
  });
}

/** Remembers uploads as long as the test runs. */
export function rememberUploads(): UploadMemory {
  const places = new Map<string, string>();
  return {
    recall: async (key) => places.get(key),
    remember: async (key, place) => void places.set(key, place),
    forget: async (key) => void places.delete(key),
  };
}

/** Gives the credentials of a `config.json` with this content, and with these programs on the path. */
export function credentialsOf(folder: string, path = ''): RegistryOptions['findCredential'] {
  return openCredentials({ folder, environment: { PATH: path } });
}

/** Makes a blob of bytes. */
export function blobOf(bytes: Uint8Array): Descriptor & { readonly mediaType: string } {
  return { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.byteLength };
}

/** Gives bytes as a source of one blob, in pieces of 64 KiB. */
export function sourceOf(bytes: Uint8Array): SeekableSource {
  return {
    open: async function* (_, __, offset = 0) {
      for (let at = offset; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
}

/** Reads a stream whole. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
