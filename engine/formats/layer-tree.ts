import { EngineError } from '../errors.ts';
import type { TarEntry } from './tar.ts';

/** How much layers may hold together; they come from others, and a small one can unpack to anything. */
export type LayerLimits = {
  /** Entries of the archives, and files and folders that they make. */
  readonly entries: number;
  /** Of all files' content. */
  readonly bytes: number;
  /** Of all paths, link targets and attributes together; they are held in memory. */
  readonly textBytes: number;
};

/** The limits of layers whose maker nobody knows. */
export const usualLimits: LayerLimits = { entries: 1_000_000, bytes: 64 * 2 ** 30, textBytes: 128 * 2 ** 20 };

/**
 * What an entry of an archive leaves in a tree: a folder, a file by its place in the archives, or something without content.
 * `layer` is the number of the last layer that names it.
 */
export type LayerNode =
  | {
      readonly kind: 'folder';
      layer: number;
      entry: Owned;
      isOpaque: boolean;
      readonly inside: Map<string, LayerNode>;
    }
  | { readonly kind: 'file'; readonly layer: number; readonly index: number }
  | { readonly kind: 'other'; readonly layer: number; readonly entry: TarEntry }
  | { readonly kind: 'removed'; readonly layer: number };

type Folder = Extract<LayerNode, { readonly kind: 'folder' }>;
type Owned = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime' | 'attributes'>;

/** What of layers cannot be kept. */
export type LayerLosses = {
  /** Device nodes outside of `/dev`. */
  readonly devices: number;
  /** Names of extended attributes. */
  readonly attributes: readonly string[];
};

const longestPath = 4095;
const longestName = 255;
const largestAttribute = 65_536;
const mostLinks = 40; // as the kernel
const whiteout = '.wh.';
const metadata = '.wh..wh.';
const opaqueMarker = '.wh..wh..opq';
// a layer that puts a file in them without naming them would close them for everybody
const openFolders: ReadonlySet<string> = new Set(['tmp', 'var/tmp', 'dev/shm']);

/**
 * Applies the entries of layers' archives, one by one, to a tree that holds what they leave in the end.
 *
 * As container engines do: the later of two entries wins, a folder named again keeps its content, a leading slash means
 * the root, and links in a path are followed within the tree. Markers count wherever they stand: a removal hides what
 * lower layers have, never what its own layer brings.
 *
 * @source OCI image specification 1.1, layer.md, "Applying Changesets" and "Whiteouts"; containerd, pkg/archive/tar.go
 */
export class LayerTree {
  readonly root: Folder = makeFolder({ mode: 0o755, uid: 0, gid: 0, mtime: 0, attributes: {} }, 0);
  readonly #limits: LayerLimits;
  readonly #isWhole: boolean;
  readonly #removed = new Map<Folder, Set<string>>();
  readonly #opaque = new Set<Folder>();
  readonly #lostAttributes = new Set<string>();
  readonly #lostDevices = new Set<string>();
  #layer = 0;
  #entries = 0;
  #nodes = 0;
  #bytes = 0;
  #textBytes = 0;

  /** @param isWhole - whether nothing lies below: what markers hide is then gone, and they leave nothing behind */
  constructor(limits: LayerLimits, { isWhole }: { readonly isWhole: boolean }) {
    this.#limits = limits;
    this.#isWhole = isWhole;
  }

  /** @throws EngineError BLOB_CORRUPT for what no layer may hold */
  add(entry: TarEntry): void {
    const index = this.#entries;
    this.#entries += 1;
    this.#bytes += entry.size;
    this.#textBytes += entry.path.length + entry.target.length;
    for (const [name, value] of Object.entries(entry.attributes))
      this.#textBytes += name.length + value.length;
    this.#checkLimits(entry.path);

    const parts = plainParts(entry.path);
    const name = parts.pop();
    if (name === undefined) {
      if (entry.type !== 'directory') throw refused(entry.path, 'is the root and no folder');
      return;
    }
    if (name === opaqueMarker) {
      const folder = this.#folderAt(parts);
      if (folder === this.root && !this.#isWhole) throw refused(entry.path, 'would hide all layers below');
      this.#opaque.add(folder);
      return;
    }
    // what AUFS notes for itself
    if ([...parts, name].some((part) => part.startsWith(metadata))) return;
    const parent = this.#folderAt(parts);
    if (name.startsWith(whiteout)) this.#remove(parent, name.slice(whiteout.length), entry);
    else this.#put(parent, name, entry, index);
  }

  /**
   * Ends a layer. What its markers hide of the layers before is taken out of the tree; where layers lie below the tree, what
   * was removed and not made again becomes a node of its own, and what was made again hides what was there.
   */
  endLayer(): void {
    if (this.#removed.size > 0 || this.#opaque.size > 0) this.#hide(this.root, false);
    if (!this.#isWhole) {
      for (const folder of this.#opaque) folder.isOpaque = true;
      for (const [folder, names] of this.#removed)
        for (const name of names) {
          const node = folder.inside.get(name);
          if (node === undefined) folder.inside.set(name, { kind: 'removed', layer: this.#layer });
          else if (node.kind === 'folder') node.isOpaque = true;
        }
    }
    this.#removed.clear();
    this.#opaque.clear();
    this.#layer += 1;
  }

  /** Tells what of the layers cannot be kept. */
  losses(): LayerLosses {
    return { devices: this.#lostDevices.size, attributes: [...this.#lostAttributes].sort() };
  }

  /** Takes out what earlier layers have below a folder, where it or a name in it is hidden; a path is at most 2048 folders deep. */
  #hide(folder: Folder, isHidden: boolean): void {
    const isEmptied = isHidden || this.#opaque.has(folder);
    const names = this.#removed.get(folder);
    for (const [name, node] of folder.inside) {
      const isGone = isEmptied || names?.has(name) === true;
      if (node.kind === 'folder') this.#hide(node, isGone);
      const isInUse = node.kind === 'folder' && node.inside.size > 0;
      if (isGone && node.layer !== this.#layer && !isInUse) folder.inside.delete(name);
    }
  }

  #remove(parent: Folder, name: string, entry: TarEntry): void {
    if (name === '' || name === '.' || name === '..') throw refused(entry.path, 'is a whiteout of no name');
    const names = this.#removed.get(parent) ?? new Set();
    this.#removed.set(parent, names.add(name));
  }

  #put(parent: Folder, name: string, entry: TarEntry, index: number): void {
    const before = parent.inside.get(name);
    const node = this.#nodeOf(entry, index);
    if (node === undefined) {
      parent.inside.delete(name);
    } else if (node.kind === 'folder' && before?.kind === 'folder') {
      before.entry = node.entry;
      before.layer = this.#layer;
    } else {
      // a folder in the place of something else shows nothing of the folder that lower layers may have there
      if (node.kind === 'folder' && before !== undefined) node.isOpaque = !this.#isWhole;
      this.#count(entry.path);
      parent.inside.set(name, node);
    }
  }

  #nodeOf(entry: TarEntry, index: number): LayerNode | undefined {
    const { type, path, target } = entry;
    const layer = this.#layer;
    switch (type) {
      case 'directory':
        return makeFolder({ ...entry, attributes: this.keep(entry) }, layer);
      case 'file':
        this.keep(entry);
        return { kind: 'file', layer, index };
      case 'link': {
        const parts = plainParts(target);
        const found = this.#folderAt(parts.slice(0, -1)).inside.get(parts.at(-1) ?? '');
        if (found?.kind === 'file' || found?.kind === 'other') return { ...found, layer };
        throw refused(path, `is a hard link to ${target}, which is no earlier file`);
      }
      case 'symlink':
        if (target === '' || target.length > longestPath || target.includes('\0'))
          throw refused(path, 'leads nowhere');
        return { kind: 'other', layer, entry: { ...entry, attributes: {} } };
      case 'fifo':
        return { kind: 'other', layer, entry: { ...entry, attributes: this.keep(entry) } };
      case 'character-device':
      case 'block-device':
        // a guest's devices come from its kernel, and its file systems are mounted without any
        if (!/^[./]*dev\//.test(path)) this.#lostDevices.add(path);
        return undefined;
      default:
        return type satisfies never;
    }
  }

  /** Gives the extended attributes that mean nothing to overlayfs and that a squashfs can hold. */
  keep({ attributes }: Pick<TarEntry, 'attributes'>): TarEntry['attributes'] {
    const kept: Record<string, string> = {};
    for (const [name, value] of Object.entries(attributes)) {
      if (name !== 'security.capability' && !name.startsWith('user.')) {
        this.#lostAttributes.add(name.slice(0, longestName));
        continue;
      }
      if (value.length > largestAttribute || name.length > longestName)
        throw refused(name.slice(0, longestName), 'is an attribute too large to be kept');
      kept[name] = value;
    }
    return kept;
  }

  /** Finds the folder at a path, by way of the links on it, and makes what is missing of it. */
  #folderAt(path: readonly string[]): Folder {
    const trail: { readonly folder: Folder; readonly name: string; readonly length: number }[] = [];
    let folder = this.root;
    let links = 0;
    const left = path.toReversed();
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === '..') {
        folder = trail.pop()?.folder ?? this.root;
        continue;
      }
      if (name.startsWith(whiteout)) throw refused(path.join('/'), 'is no name for a folder');
      let next = folder.inside.get(name);
      if (next === undefined) {
        this.#count(path.join('/'));
        const at = [...trail.map((each) => each.name), name].join('/');
        const mode = openFolders.has(at) ? 0o1777 : 0o755;
        next = makeFolder({ mode, uid: 0, gid: 0, mtime: 0, attributes: {} }, this.#layer);
        folder.inside.set(name, next);
      }
      if (next.kind === 'other' && next.entry.type === 'symlink') {
        links += 1;
        if (links > mostLinks) throw refused(path.join('/'), 'leads round in links');
        const { target } = next.entry;
        if (target.startsWith('/')) {
          folder = this.root;
          trail.length = 0;
        }
        left.push(...namesOf(target).toReversed());
        continue;
      }
      if (next.kind !== 'folder')
        throw refused(path.join('/'), 'is no folder, and another entry lies below it');
      trail.push({ folder, name, length: (trail.at(-1)?.length ?? 0) + name.length + 1 });
      if ((trail.at(-1)?.length ?? 0) > longestPath) throw refused(path.join('/'), 'lies too deep');
      folder = next;
    }
    return folder;
  }

  #count(path: string): void {
    this.#nodes += 1;
    this.#checkLimits(path);
  }

  #checkLimits(path: string): void {
    const { entries, bytes, textBytes } = this.#limits;
    if (
      this.#entries > entries ||
      this.#nodes > entries ||
      this.#bytes > bytes ||
      this.#textBytes > textBytes
    )
      throw refused(path.slice(0, 100), 'makes the layer too large');
  }
}

function makeFolder({ mode, uid, gid, mtime, attributes }: Owned, layer: number): Folder {
  return {
    kind: 'folder',
    layer,
    entry: { mode, uid, gid, mtime, attributes },
    isOpaque: false,
    inside: new Map(),
  };
}

/** Splits an entry's path; no part is empty, `.` or `..`. */
function plainParts(path: string): string[] {
  const parts = namesOf(path);
  if (parts.includes('..')) throw refused(path.slice(0, 100), 'leads upwards');
  if (path.length > longestPath || parts.some((part) => Buffer.byteLength(part) > longestName))
    throw refused(path.slice(0, 100), 'is longer than a file system takes');
  if (path.includes('\0')) throw refused(path, 'holds a zero byte');
  return parts;
}

function namesOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function refused(path: string, what: string): EngineError {
  return new EngineError('BLOB_CORRUPT', `the layer is refused: ${JSON.stringify(path)} ${what}`, {
    hint: 'Build or pull the image again; if it stays so, the image is not made as OCI wants it.',
    details: { path },
  });
}
