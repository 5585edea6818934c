import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Small texts by name: where the memory driver keeps its world. */
export interface Cells {
  /** Names that start with a prefix, sorted. */
  list(prefix: string): Promise<readonly string[]>;
  read(name: string): Promise<string | undefined>;
  /** All of it or nothing, also when the process is killed. */
  write(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Keeps cells in this process's memory. */
export function memoryCells(): Cells {
  const cells = new Map<string, string>();
  return {
    async list(prefix) {
      return [...cells.keys()].filter((name) => name.startsWith(prefix)).sort();
    },
    async read(name) {
      return cells.get(name);
    },
    async write(name, text) {
      cells.set(name, text);
    },
    async remove(name) {
      cells.delete(name);
    },
  };
}

/**
 * Keeps cells as files of one folder, so that several processes share one world and outlive each other.
 *
 * A draft that a killed process left behind is no cell and is passed over.
 */
export function folderCells(folder: string): Cells {
  const fileOf = (name: string): string => join(folder, encodeURIComponent(name));
  return {
    async list(prefix) {
      await mkdir(folder, { recursive: true });
      const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
      return names
        .map(decodeURIComponent)
        .filter((name) => name.startsWith(prefix))
        .sort();
    },
    async read(name) {
      return await readFile(fileOf(name), 'utf8').catch(() => undefined);
    },
    async write(name, text) {
      await mkdir(folder, { recursive: true });
      const draft = join(folder, `.${process.pid}-${encodeURIComponent(name)}`);
      await writeFile(draft, text);
      await rename(draft, fileOf(name));
    },
    async remove(name) {
      await rm(fileOf(name), { force: true });
    },
  };
}
