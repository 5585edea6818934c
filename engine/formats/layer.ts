import type { Readable } from 'node:stream';
import { type LayerLimits, type LayerLosses, type LayerNode, LayerTree, usualLimits } from './layer-tree.ts';
import { readTar, type TarEntry, type TarSource, writeTar } from './tar.ts';

const opaqueAttribute = 'trusted.overlay.opaque';

/** Tells what of a layer cannot be kept when it becomes a disk. @throws EngineError BLOB_CORRUPT as {@link layerForOverlay} */
export async function lossesOf(
  layer: AsyncIterable<Uint8Array>,
  limits: LayerLimits = usualLimits,
): Promise<LayerLosses> {
  return (await survey(layer, limits)).losses;
}

/**
 * Turns the tar of an OCI image layer (already unpacked) into the tar of which `sqfstar` makes a layer for overlayfs.
 *
 * It is read twice: whatever its order, the later of two entries wins and a marker counts for its whole folder, and only
 * the end of the archive tells which those are. Folders come first, then all without content, then files as they stand in
 * the layer, hard links after their file. What the layer removes becomes a character device 0:0, and a folder that hides
 * those below it gets the attribute `trusted.overlay.opaque`. The result depends on nothing but the layer; give sqfstar
 * `-root-mode 0755 -root-time 0 -mkfs-time 0` besides, for it takes the root from its options alone.
 *
 * Nothing that a kernel would take for more than a file passes: paths are relative and plain, links in them are followed
 * within the layer, hard links lead to earlier files of the layer, devices are left out, and of extended attributes only
 * file capabilities and `user.*` stay.
 *
 * Memory grows with the entries' paths, not with their content.
 *
 * @param open - gives the tar from its beginning; called twice
 * @throws EngineError BLOB_CORRUPT, as the stream's error, for entries that lead upwards or lie below a file, hard links to
 *   nothing, a marker that would hide all layers below, more than the limits allow
 * @source OCI image specification 1.1, layer.md, "Representing changes"; Linux, Documentation/filesystems/overlayfs
 */
export function layerForOverlay(
  open: () => AsyncIterable<Uint8Array>,
  limits: LayerLimits = usualLimits,
): Readable {
  return writeTar(translate(open, limits));
}

async function* translate(
  open: () => AsyncIterable<Uint8Array>,
  limits: LayerLimits,
): AsyncGenerator<TarSource> {
  const { tree } = await survey(open(), limits);
  const names = new Map<number, string[]>();
  for (const { path, node } of walk(tree.root.inside)) {
    if (node.kind !== 'file') yield entryOf(path, node);
    else if (!names.has(node.index)) names.set(node.index, [path]);
    else names.get(node.index)?.push(path);
  }
  let index = -1;
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
  layer: AsyncIterable<Uint8Array>,
  limits: LayerLimits,
): Promise<{ readonly tree: LayerTree; readonly losses: LayerLosses }> {
  const tree = new LayerTree(limits);
  for await (const { entry } of readTar(layer)) tree.add(entry);
  return { tree, losses: tree.finish() };
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
