import type { Readable } from 'node:stream';
import { EngineError } from '../errors.ts';
import { readTar, type TarEntry, type TarSource, writeTar } from './tar.ts';

/** How much a layer may hold; a layer comes from others, and a small one can unpack to anything. */
export type LayerLimits = {
  readonly entries: number;
  /** Of all files' content. */
  readonly bytes: number;
  /** Of all paths together; they are held in memory. */
  readonly pathBytes: number;
};

const usualLimits: LayerLimits = { entries: 1_000_000, bytes: 64 * 2 ** 30, pathBytes: 128 * 2 ** 20 };
const longestPath = 4095;
const longestName = 255;
const largestAttribute = 65_536;
const whiteout = '.wh.';
const opaqueMarker = '.wh..wh..opq';
const opaqueAttribute = 'trusted.overlay.opaque';

/**
 * Turns the tar of an OCI image layer (already gunzipped) into the tar of which `sqfstar` makes a layer for overlayfs.
 *
 * `.wh.NAME` becomes a character device 0:0 called NAME, and a folder with `.wh..wh..opq` gets the attribute
 * `trusted.overlay.opaque`. Folders that the layer leaves out are written in (root, 0755), so the result depends on
 * nothing but the layer; give sqfstar `-root-mode 0755 -root-time 0 -mkfs-time 0` besides, for it takes the root
 * from its options alone. Nothing that a kernel would take for more than a file passes: paths are relative and
 * plain, hard links lead to earlier files of the layer, devices are left out, and of extended attributes only file
 * capabilities and `user.*` stay.
 *
 * Memory grows with the entries' paths, not with their content.
 *
 * @throws EngineError BLOB_CORRUPT, as the stream's error, for anything else: duplicates, entries below a file, a marker that
 *   comes after the folder's content, more than the limits allow
 * @source OCI image specification 1.1, layer.md, "Representing changes"; Linux, Documentation/filesystems/overlayfs
 */
export function layerForOverlay(
  layer: AsyncIterable<Uint8Array>,
  limits: LayerLimits = usualLimits,
): Readable {
  return writeTar(translate(layer, limits));
}

/** What is remembered of an entry: enough to judge those that come after it. */
type Known = Pick<TarEntry, 'type' | 'mode' | 'uid' | 'gid'>;

async function* translate(layer: AsyncIterable<Uint8Array>, limits: LayerLimits): AsyncGenerator<TarSource> {
  const seen = new Map<string, Known>();
  // a folder is held back until something else comes, because a marker that makes it opaque may stand in between
  let held: readonly TarEntry[] = [];
  let bytes = 0;
  let pathBytes = 0;

  for await (const { entry, content } of readTar(layer)) {
    const path = plainPath(entry.path);
    bytes += entry.size;
    pathBytes += path.length;
    if (seen.size >= limits.entries || bytes > limits.bytes || pathBytes > limits.pathBytes)
      throw refused(entry.path, 'makes the layer too large');
    if (path === '') {
      if (entry.type !== 'directory') throw refused(entry.path, 'is the root and no folder');
      continue;
    }

    const { parent, name } = split(path);
    const missing = missingFolders(seen, parent);
    if (missing.length > 0) {
      yield* held;
      held = missing;
    }

    if (name === opaqueMarker) {
      const at = held.findIndex((candidate) => keyOf(candidate) === parent);
      if (at < 0) throw refused(entry.path, 'comes after the content of its folder');
      held = held.map((each, index) =>
        index === at ? { ...each, attributes: { ...each.attributes, [opaqueAttribute]: 'y' } } : each,
      );
      continue;
    }

    const next = name.startsWith(whiteout)
      ? removal(entry, parent, name.slice(whiteout.length))
      : kept(entry, path, seen);
    if (next === undefined) continue;
    const before = seen.get(keyOf(next));
    if (before !== undefined) {
      if (isSameFolder(before, next)) continue;
      throw refused(entry.path, 'stands in the layer twice');
    }
    remember(seen, next);
    yield* held;
    held = [];
    if (next.type === 'directory') held = [next];
    else yield { ...next, content };
  }
  yield* held;
}

/** Gives an entry's path without `./`, doubled and trailing slashes; the root is the empty text. */
function plainPath(path: string): string {
  if (path.startsWith('/')) throw refused(path, 'is an absolute path');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused(path, 'leads upwards');
  if (path.length > longestPath || parts.some((part) => Buffer.byteLength(part) > longestName))
    throw refused(path.slice(0, 100), 'is longer than a file system takes');
  if (path.includes('\0')) throw refused(path, 'holds a zero byte');
  return parts.join('/');
}

function split(path: string): { readonly parent: string; readonly name: string } {
  const at = path.lastIndexOf('/');
  return { parent: path.slice(0, Math.max(at, 0)), name: path.slice(at + 1) };
}

/** Makes the folders above an entry that the layer has not named, outermost first, and checks that those it has are folders. */
function missingFolders(seen: Map<string, Known>, parent: string): readonly TarEntry[] {
  const missing: TarEntry[] = [];
  const parts = parent === '' ? [] : parent.split('/');
  if (parts.some((part) => part.startsWith(whiteout))) throw refused(parent, 'is no name for a folder');
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const path = parts.slice(0, depth).join('/');
    const known = seen.get(path);
    if (known === undefined) missing.push(remember(seen, folder(undefined, path)));
    else if (known.type !== 'directory') throw refused(path, 'is no folder, and another entry lies below it');
  }
  return missing;
}

function remember(seen: Map<string, Known>, entry: TarEntry): TarEntry {
  const { type, mode, uid, gid } = entry;
  seen.set(keyOf(entry), { type, mode, uid, gid });
  return entry;
}

function keyOf(entry: TarEntry): string {
  return plainPath(entry.path);
}

function folder(entry: TarEntry | undefined, path: string): TarEntry {
  return {
    path: `${path}/`,
    type: 'directory',
    mode: entry?.mode ?? 0o755,
    uid: entry?.uid ?? 0,
    gid: entry?.gid ?? 0,
    mtime: entry?.mtime ?? 0,
    size: 0,
    target: '',
    attributes: harmless(entry?.attributes ?? {}),
  };
}

function removal(entry: TarEntry, parent: string, name: string): TarEntry {
  if (entry.type !== 'file' || name === '' || name === '.' || name === '..' || name.startsWith(whiteout))
    throw refused(entry.path, 'is a whiteout of no name');
  const path = parent === '' ? name : `${parent}/${name}`;
  return { ...entry, path, type: 'character-device', mode: 0, uid: 0, gid: 0, size: 0, attributes: {} };
}

function kept(entry: TarEntry, path: string, seen: ReadonlyMap<string, Known>): TarEntry | undefined {
  switch (entry.type) {
    case 'directory':
      return folder(entry, path);
    case 'link': {
      const target = plainPath(entry.target);
      if (!['file', 'link'].includes(seen.get(target)?.type ?? ''))
        throw refused(entry.path, `is a hard link to ${entry.target}, which is no earlier file of the layer`);
      return { ...entry, path, target, attributes: {} };
    }
    case 'symlink':
      if (entry.target === '' || entry.target.length > longestPath || entry.target.includes('\0'))
        throw refused(entry.path, 'leads nowhere');
      return { ...entry, path, attributes: {} };
    case 'file':
    case 'fifo':
      return { ...entry, path, attributes: harmless(entry.attributes) };
    case 'character-device':
    case 'block-device':
      return undefined; // a guest's devices come from its kernel, and its file systems are mounted without any
    default:
      return entry.type satisfies never;
  }
}

function harmless(attributes: TarEntry['attributes']): TarEntry['attributes'] {
  const kept = Object.entries(attributes).filter(
    ([name]) => name === 'security.capability' || name.startsWith('user.'),
  );
  for (const [name, value] of kept)
    if (value.includes('\ufffd') || value.length > largestAttribute || name.length > longestName)
      throw refused(name.slice(0, longestName), 'is an attribute that cannot be kept');
  return Object.fromEntries(kept);
}

function isSameFolder(a: Known, b: Known): boolean {
  return (
    a.type === 'directory' &&
    b.type === 'directory' &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid
  );
}

function refused(path: string, what: string): EngineError {
  return new EngineError('BLOB_CORRUPT', `the layer is refused: ${JSON.stringify(path)} ${what}`, {
    hint: 'Build or pull the image again; if it stays so, the image is not made as OCI wants it.',
    details: { path },
  });
}
