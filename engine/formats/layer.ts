import type { Readable } from 'node:stream';
import { type LayerLimits, type LayerLosses, type LayerNode, LayerTree, usualLimits } from './layer-tree.ts';
import { readTar, type TarEntry, type TarSource, writeTar } from './tar.ts';

const opaqueAttribute = 'trusted.overlay.opaque';

/** Gives a layer's tar, already unpacked, from its beginning. */
export type OpenLayer = () => AsyncIterable<Uint8Array>;

/**
 * Tells what of an image's layers cannot be kept when they become a disk. Each is opened when the one before it was read.
 *
 * @param layers - lowest first
 * @throws EngineError BLOB_CORRUPT as {@link layersAsOne}
 */
export async function lossesOf(
  layers: readonly OpenLayer[],
  limits: LayerLimits = usualLimits,
): Promise<LayerLosses> {
  return (await survey(layers, limits, { isWhole: true })).losses();
}

/**
 * Turns the tar of one layer among others into the tar of which `sqfstar` makes a layer for overlayfs.
 *
 * It is read twice: whatever its order, the later of two entries wins and a marker counts for its whole folder, and only
 * the end of the archive tells which those are. Folders come first, then all without content, then files as they stand in
 * the layer, hard links after their file. What the layer removes becomes a character device 0:0, and a folder that hides
 * those below it gets the attribute `trusted.overlay.opaque`. The result depends on nothing but the layer; give sqfstar
 * `-root-mode 0755 -root-time 0 -mkfs-time 0` besides, for it takes the root from its options alone.
 *
 * Nothing that a kernel would take for more than a file passes: paths are relative and plain, links in them are followed
 * within the layer, hard links lead to earlier files, devices are left out, and of extended attributes only
 * file capabilities and `user.*` stay.
 *
 * Memory grows with the entries' paths, not with their content.
 *
 * @param open - called twice
 * @throws EngineError BLOB_CORRUPT, as the stream's error, for entries that lead upwards or lie below a file, hard links to
 *   nothing, a marker that would hide all layers below, more than the limits allow
 * @source OCI image specification 1.1, layer.md, "Representing changes"; Linux, Documentation/filesystems/overlayfs
 */
export function layerForOverlay(open: OpenLayer, limits: LayerLimits = usualLimits): Readable {
  return writeTar(translate([open], limits, { isWhole: false }));
}

/**
 * Turns all layers of an image into one tar of what they leave, as {@link layerForOverlay} does with one.
 *
 * Layers of others rely on those below them: they put files below a link of a lower layer, or link to its files. And an
 * image may have a hundred of them, each of which would take a disk and a mebibyte of a guest's memory.
 *
 * @param layers - lowest first; nothing lies below them
 */
export function layersAsOne(layers: readonly OpenLayer[], limits: LayerLimits = usualLimits): Readable {
  return writeTar(translate(layers, limits, { isWhole: true }));
}

async function* translate(
  layers: readonly OpenLayer[],
  limits: LayerLimits,
  place: { readonly isWhole: boolean },
): AsyncGenerator<TarSource> {
  const tree = await survey(layers, limits, place);
  const names = new Map<number, string[]>();
  for (const { path, node } of walk(tree.root.inside)) {
    if (node.kind !== 'file') yield entryOf(path, node);
    else if (!names.has(node.index)) names.set(node.index, [path]);
    else names.get(node.index)?.push(path);
  }
  let index = -1;
  for (const open of layers)
    for await (const { entry, content } of readTar(open())) {
      index += 1;
      const [path, ...others] = names.get(index) ?? [];
      if (path === undefined) continue;
      yield { ...entry, path, attributes: tree.keep(entry), content };
      for (const other of others)
        yield { ...entry, path: other, type: 'link', size: 0, target: path, attributes: {} };
    }
}

async function survey(
  layers: readonly OpenLayer[],
  limits: LayerLimits,
  place: { readonly isWhole: boolean },
): Promise<LayerTree> {
  const tree = new LayerTree(limits, place);
  for (const open of layers) {
    for await (const { entry } of readTar(open())) tree.add(entry);
    tree.endLayer();
  }
  return tree;
}

/** Walks a tree, each folder before what is in it; without recursion, for a hostile tree is deep. */
function* walk(
  root: ReadonlyMap<string, LayerNode>,
): Generator<{ readonly path: string; readonly node: LayerNode }> {
  const left = [{ prefix: '', inside: root }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    for (const [name, node] of next.inside) {
      const path = `${next.prefix}${name}`;
      yield { path, node };
      if (node.kind === 'folder') left.push({ prefix: `${path}/`, inside: node.inside });
    }
  }
}

function entryOf(path: string, node: Exclude<LayerNode, { readonly kind: 'file' }>): TarEntry {
  const blank = { mode: 0, uid: 0, gid: 0, mtime: 0, size: 0, target: '', attributes: {} };
  switch (node.kind) {
    case 'folder': {
      const { attributes } = node.entry;
      return {
        ...blank,
        ...node.entry,
        path: `${path}/`,
        type: 'directory',
        attributes: node.isOpaque ? { ...attributes, [opaqueAttribute]: 'y' } : attributes,
      };
    }
    case 'other':
      return { ...node.entry, path };
    case 'removed':
      return { ...blank, path, type: 'character-device' };
    default:
      return node satisfies never;
  }
}
