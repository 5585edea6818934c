import { type Digest, digestOf, isDigest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { Repository, StoredManifest } from '../shelves/repository.ts';
import type { FindCredential } from './credentials.ts';
import { download } from './download.ts';
import { malformed } from './failures.ts';
import type { Http } from './http.ts';
import { readBytes, readJson } from './read-body.ts';
import { formatPlace, type RepositoryPlace } from './reference.ts';
import type { Patience } from './retry.ts';
import { openTransport } from './transport.ts';
import { type UploadMemory, upload } from './upload.ts';

/** What {@link openRegistry} works with. */
export type RegistryOptions = {
  readonly http: Http;
  readonly findCredential: FindCredential;
  readonly patience: Patience;
  readonly uploads: UploadMemory;
  /** Asked without encryption even beyond this machine. */
  readonly isPlain?: boolean;
};

/** One registry, of which repositories are opened; they share connections and tokens. */
export interface Registry {
  readonly host: string;
  /** @param mountFrom - paths of repositories of this registry that may have a blob already, the likeliest first */
  repository(path: string, mountFrom?: (blob: Descriptor) => readonly string[]): Repository;
}

/** A manifest may have so many bytes; the registries' own limit is the same. */
export const manifestBytes = 4 * 2 ** 20;
/** A registry that lists more tags than this lists nonsense. */
const maxTags = 100_000;
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/**
 * Opens a registry by its distribution API.
 *
 * Nothing that it says is believed before its digest and size were checked.
 *
 * @source OCI distribution specification 1.1
 */
export function openRegistry(host: string, options: RegistryOptions): Registry {
  const { patience, uploads } = options;
  const transport = openTransport({ ...options, host });

  const repository: Registry['repository'] = (path, mountFrom) => {
    const name = formatPlace({ host, path } satisfies RepositoryPlace);
    const pull = [`repository:${path}:pull`];
    const push = [`repository:${path}:pull,push`];
    const common = { transport, path, patience };

    const size = async (digest: Digest, signal: AbortSignal): Promise<number | undefined> => {
      const target = `/v2/${path}/blobs/${digest}`;
      const answer = await transport.call({
        method: 'HEAD',
        target,
        scopes: pull,
        expect: [200, 404],
        signal,
      });
      await answer.drop();
      if (answer.status === 404) return undefined;
      const length = answer.headers['content-length'];
      if (length !== undefined && /^\d{1,15}$/.test(length)) return Number(length);
      throw malformed(host, 'it does not say how many bytes a blob has');
    };
    const has = async (blob: Descriptor, signal: AbortSignal): Promise<boolean> =>
      (await size(blob.digest, signal)) === blob.size;

    return {
      name,
      checksManifests: true,
      has,
      open: (blob, signal, offset = 0) => download(blob, { ...common, signal }, offset),
      put: async (blob, source, signal, sent, isNew = false) => {
        if (!isNew && (await has(blob, signal))) return 'present';
        const [from] = mountFrom?.(blob).filter((each) => each !== path) ?? [];
        const options = {
          ...common,
          memory: uploads,
          signal,
          ...(from !== undefined && { mountFrom: from }),
        };
        return await upload(blob, source, options, sent);
      },
      manifest: async (reference, signal) => {
        const answer = await transport.call({
          method: 'GET',
          target: `/v2/${path}/manifests/${reference}`,
          headers: { accept: manifestTypes },
          scopes: pull,
          expect: [200, 404],
          signal,
        });
        if (answer.status === 404) {
          await answer.drop();
          return undefined;
        }
        const bytes = await readBytes(answer, { host, limit: manifestBytes, what: 'manifest' });
        const digest = digestOf(bytes);
        requireEqual(host, digest, isDigest(reference) ? reference : promised(answer.headers));
        const mediaType = (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? '';
        return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
      },
      putManifest: async ({ descriptor, bytes }, tag, signal) => {
        const answer = await transport.call({
          method: 'PUT',
          target: `/v2/${path}/manifests/${tag ?? descriptor.digest}`,
          headers: { 'content-type': descriptor.mediaType },
          body: bytes,
          scopes: push,
          expect: [201],
          signal,
        });
        await answer.drop();
        requireEqual(host, descriptor.digest, promised(answer.headers));
      },
      tags: async (signal) => {
        const found = new Set<string>();
        let target: string | URL | undefined = `/v2/${path}/tags/list?n=1000`;
        while (target !== undefined) {
          const answer = await transport.call({
            method: 'GET',
            target,
            scopes: pull,
            expect: [200, 404],
            signal,
          });
          if (answer.status === 404) {
            await answer.drop();
            return [];
          }
          const { tags } = await readJson(answer, { host, limit: manifestBytes, what: 'list of tags' });
          const known = found.size;
          if (Array.isArray(tags)) for (const tag of tags) if (typeof tag === 'string') found.add(tag);
          if (found.size > maxTags) throw malformed(host, `it lists more than ${maxTags} tags`);
          // a page that brings nothing new would be followed for ever
          const next = found.size > known ? nextPage(answer.headers['link']) : undefined;
          target = next === undefined ? undefined : new URL(next, transport.url(target));
        }
        return [...found].sort();
      },
    };
  };

  return { host, repository };
}

function promised(headers: Readonly<Record<string, string | undefined>>): Digest | undefined {
  const digest = headers['docker-content-digest'];
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}

function requireEqual(host: string, found: Digest, wanted: Digest | undefined): void {
  if (wanted === undefined || wanted === found) return;
  throw new EngineError('CONTENT_MISMATCH', `the registry ${host} holds another manifest than ${wanted}`, {
    hint: 'Nothing of it was kept. Ask whoever runs the registry, or use another one.',
    details: { host, digest: wanted, found },
  });
}

/** Reads `Link: </v2/…?last=b>; rel="next"`. */
function nextPage(link: string | undefined): string | undefined {
  return /^<([^>]{1,4096})>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
}

/** Keeps a manifest in memory as somebody else's repository would give it. */
export function storedManifest(bytes: Uint8Array, mediaType: string): StoredManifest {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes };
}
