import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../../system-code.ts';
import { type Layout, objectPath } from './layout.ts';

/** Gives the file of an instance's console; older parts have `.1`, `.2` … appended. */
export function consolePath(layout: Layout, deployment: string, instance: string): string {
  return objectPath(layout, deployment, 'instance', instance, '.console');
}

/** Lists the parts of a console that are there, oldest first. */
export async function consoleParts(path: string): Promise<readonly string[]> {
  try {
    const suffix = (name: string): number => Number(name.slice(basename(path).length + 1));
    return (await readdir(dirname(path)))
      .filter((name) => name === basename(path) || name.startsWith(`${basename(path)}.`))
      .toSorted((a, b) => suffix(b) - suffix(a))
      .map((name) => join(dirname(path), name));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Gives the last lines of a console in one, with ` / ` between them. They are the guest's own words. */
export async function lastLines(path: string, count: number): Promise<string> {
  const windowBytes = 4096;
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.min(size, windowBytes));
      await file.read(buffer, 0, buffer.length, size - buffer.length);
      const lines = buffer.toString('utf8').split(/[\r\n]+/);
      return lines
        .filter((line) => line.trim() !== '')
        .slice(-count)
        .join(' / ');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/** Gives a file's size in bytes, 0 when there is none. */
export async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** Gives the time of a file's last change in milliseconds since 1970, null when there is none. */
export async function changeTime(path: string): Promise<number | null> {
  try {
    return Math.round((await stat(path)).mtimeMs);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}
