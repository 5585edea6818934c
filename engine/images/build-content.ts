import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { TarSource } from '../formats/tar.ts';
import type { Descriptor } from '../model/blob.ts';
import type { ContentEntry } from '../model/content-listing.ts';
import { listFolder } from '../read/list-folder.ts';
import type { BuildContext } from './context.ts';
import { layerMediaType, storeLayer } from './layer-blob.ts';
import { imageTime } from './tree.ts';

/** A folder of an application that becomes a layer. */
export type ContentRequest = {
  /** For people: `web app`. */
  readonly name: string;
  /** On this machine. */
  readonly folder: string;
  /** Absolute folder in the guest. */
  readonly to: string;
  /** Of the folder's canonical listing, as it was checked. */
  readonly digest: Digest;
  /** The layer in a bundle, which is taken as it is. */
  readonly published?: { readonly identity: Digest; readonly layer: Descriptor };
};

/** What building content needs of a {@link BuildContext}. */
export type ContentContext = Pick<BuildContext, 'blobs' | 'refs' | 'signal' | 'report' | 'storePublished'>;

// raised whenever the same folder shall give another layer than before
const recipe = 1;

/** Gives the layer of a content folder when it is stored; packs nothing. */
export async function findContent(
  { digest, to, published }: Pick<ContentRequest, 'digest' | 'to' | 'published'>,
  { blobs, refs }: Pick<ContentContext, 'blobs' | 'refs'>,
): Promise<Descriptor | undefined> {
  if (published !== undefined) {
    const { layer } = published;
    return (await blobs.size(layer.digest)) === layer.size ? layer : undefined;
  }
  const known = refs.get(refOf({ digest, to }));
  const size = known && (await blobs.size(known));
  if (known === undefined || size === undefined) return undefined;
  return { mediaType: layerMediaType, digest: known, size };
}

function refOf({ digest, to }: Pick<ContentRequest, 'digest' | 'to'>): string {
  return `content/${digestOf(canonicalJson({ recipe, digest, to }))}`;
}

/**
 * Packs an application's folder into a layer that puts it at a place in the guest: owner root, 0644, or 0755 for
 * programs and folders. Same listing, same bytes; packed once for each.
 *
 * @throws EngineError IMAGE_FAILED when the folder is no longer what was checked; DISK_FULL, OPERATION_INTERRUPTED
 */
export async function buildContent(request: ContentRequest, context: ContentContext): Promise<Descriptor> {
  const { blobs, refs, report, signal } = context;
  const { digest, folder, name, to } = request;
  const subject = `content ${name}`;
  const known = await findContent(request, context);
  if (known !== undefined) {
    report({ type: 'build', subject, state: 'cached', message: known.digest });
    return known;
  }
  if (request.published !== undefined) {
    await context.storePublished?.(request.published.identity);
    const fetched = await findContent(request, context);
    if (fetched !== undefined) return fetched;
    throw new EngineError('IMAGE_MISSING', `the content ${name} is not stored here`, {
      hint: 'It comes out of a catalog, and none can be asked.',
      details: { digest: request.published.layer.digest },
    });
  }

  report({ type: 'build', subject, state: 'started', message: folder });
  const listing = await listFolder(folder, signal);
  if ('code' in listing)
    throw new EngineError('IMAGE_FAILED', `${folder} ${listing.message}`, { hint: listing.hint });
  if (listing.digest !== digest) throw changed(folder);
  const { layer } = await storeLayer(entriesOf(listing.entries, folder, to), blobs, signal);
  refs.set(refOf(request), layer.digest);
  report({ type: 'build', subject, state: 'done', message: layer.digest });
  return layer;
}

async function* entriesOf(
  listing: readonly ContentEntry[],
  folder: string,
  to: string,
): AsyncGenerator<TarSource> {
  const place = to.split('/').filter(Boolean).join('/');
  const blank = { uid: 0, gid: 0, mtime: imageTime, size: 0, target: '', attributes: {} };
  if (place !== '') yield { ...blank, path: `${place}/`, type: 'directory', mode: 0o755 };
  for (const entry of listing) {
    const path = place === '' ? entry.path : `${place}/${entry.path}`;
    if (basename(path).startsWith('.wh.')) {
      throw new EngineError(
        'IMAGE_FAILED',
        `${folder} holds ${entry.path}, a name that layers use to remove a file`,
        {
          hint: 'Rename it.',
        },
      );
    }
    switch (entry.kind) {
      case 'folder':
        yield { ...blank, path: `${path}/`, type: 'directory', mode: 0o755 };
        break;
      case 'link':
        yield { ...blank, path, type: 'symlink', mode: 0o777, target: entry.target };
        break;
      case 'file':
        yield {
          ...blank,
          path,
          type: 'file',
          mode: entry.isExecutable ? 0o755 : 0o644,
          mtime: timeOf(entry.digest),
          size: entry.size,
          content: readExactly(folder, entry),
        };
        break;
      default:
        entry satisfies never;
    }
  }
}

/**
 * Gives a file a time that changes with its content. Web servers and caches take size and time for the whole
 * truth: with one time for all, a browser would keep the old one of two pages of equal length.
 *
 * @returns seconds since 1970, in the years before {@link imageTime}
 */
function timeOf(digest: Digest): number {
  const spreadSeconds = 2 ** 28; // eight years
  return imageTime - (Number.parseInt(digest.slice(-7), 16) % spreadSeconds);
}

/** Reads a file and holds it against its listing, so that what is packed is what was checked. */
async function* readExactly(
  folder: string,
  entry: Extract<ContentEntry, { readonly kind: 'file' }>,
): AsyncGenerator<Uint8Array> {
  const file = await open(join(folder, entry.path), constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      throw changed(folder, cause);
    },
  );
  const hash = createHash('sha256');
  let left = entry.size;
  for await (const chunk of file.createReadStream()) {
    left -= chunk.length;
    if (left < 0) throw changed(folder);
    hash.update(chunk);
    yield chunk;
  }
  if (left !== 0 || `sha256:${hash.digest('hex')}` !== entry.digest) throw changed(folder);
}

function changed(folder: string, cause?: unknown): EngineError {
  return new EngineError('IMAGE_FAILED', `the content in ${folder} changed after it was checked`, {
    hint: 'Run the same command again.',
    details: { folder },
    cause,
  });
}
