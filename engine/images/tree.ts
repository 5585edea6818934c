import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { TarSource } from '../formats/tar.ts';
import { isTrimmed } from './trim.ts';

/** One file of a tree on the disk, known well enough to tell later whether it was touched. */
export type TreeNode = {
  /** Relative to the tree's root. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly inode: bigint;
  readonly links: bigint;
  /** Time of the last change of content, name or owner, in nanoseconds; unlike the time of modification nobody can set it. */
  readonly changed: bigint;
};

/** A tree by path, in the order in which it is packed: a folder before what lies in it, names by code unit. */
export type Tree = ReadonlyMap<string, TreeNode>;

/** The time that every packed file carries: 2020-01-01T00:00:00Z. Real times would make each build another image. */
export const imageTime = 1_577_836_800;

/** Reads a tree, leaving out what images leave out; sockets and devices are left out too. Links are not followed. */
export async function readTree(root: string): Promise<Tree> {
  const tree = new Map<string, TreeNode>();
  const visit = async (folder: string): Promise<void> => {
    const names = (await readdir(join(root, folder))).sort(byCodeUnit);
    for (const name of names) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const node = await readNode(root, path);
      if (node === undefined || isTrimmed(path, node.type === 'directory')) continue;
      tree.set(path, node);
      if (node.type === 'directory') await visit(path);
    }
  };
  await visit('');
  return tree;
}

/**
 * Lists what a layer must hold to turn one tree into another: new and touched files, the folders above them, and
 * `.wh.` entries for what is gone. Ordered by path, so a folder comes before what lies in it.
 *
 * @param before - read before anything was changed; empty for a lowest layer
 * @param after - of the same root, later
 */
export async function* diffTrees(root: string, before: Tree, after: Tree): AsyncGenerator<TarSource> {
  const touched = [...after.values()].filter((node) => isTouched(before.get(node.path), node));
  const gone = [...before.keys()].filter((path) => !after.has(path) && isFolder(after, parentOf(path)));
  const paths = new Set(touched.map((node) => node.path));
  for (const path of [...paths, ...gone])
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) paths.add(folder);

  const whiteouts = new Set(gone.map(whiteoutOf));
  const firstNames = new Map<bigint, string>();
  for (const path of [...paths, ...whiteouts].sort(byCodeUnit)) {
    const node = after.get(path);
    if (node !== undefined) yield await entryOf(root, node, firstNames);
    else yield { ...blank, path, type: 'file', mode: 0o600 };
  }
}

function isTouched(before: TreeNode | undefined, now: TreeNode): boolean {
  if (before === undefined || before.type !== now.type) return true;
  if (now.type === 'directory')
    return before.mode !== now.mode || before.uid !== now.uid || before.gid !== now.gid;
  return before.inode !== now.inode || before.changed !== now.changed;
}

async function readNode(root: string, path: string): Promise<TreeNode | undefined> {
  const found = await lstat(join(root, path), { bigint: true });
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : found.isFIFO()
          ? 'fifo'
          : undefined;
  if (type === undefined) return undefined;
  return {
    path,
    type,
    mode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
    size: type === 'file' ? Number(found.size) : 0,
    inode: found.ino,
    links: found.nlink,
    changed: found.ctimeNs,
  };
}

/** Makes a node's entry; of several names of one file, all but the first become hard links to it. */
async function entryOf(root: string, node: TreeNode, firstNames: Map<bigint, string>): Promise<TarSource> {
  const { path, type, mode, uid, gid, size } = node;
  const owned = { ...blank, mode, uid, gid };
  if (type === 'directory') return { ...owned, type, path: `${path}/` };
  if (type === 'symlink') return { ...owned, type, path, target: await readlink(join(root, path)) };
  if (type === 'fifo') return { ...owned, type, path };
  const first = firstNames.get(node.inode);
  if (first !== undefined) return { ...owned, type: 'link', path, target: first };
  if (node.links > 1n) firstNames.set(node.inode, path);
  return { ...owned, type, path, size, content: readContent(join(root, path)) };
}

const blank = { uid: 0, gid: 0, mtime: imageTime, size: 0, target: '', attributes: {} } as const;

/** Opens the file only when its turn comes: a tree has more files than a process may hold open. */
async function* readContent(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path);
}

function isFolder(tree: Tree, path: string): boolean {
  return path === '' || tree.get(path)?.type === 'directory';
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function whiteoutOf(path: string): string {
  const at = path.lastIndexOf('/') + 1;
  return `${path.slice(0, at)}.wh.${path.slice(at)}`;
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
