import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../../system-code.ts';
import { isMessage } from '../line-socket.ts';
import type { DriverContext } from './context.ts';
import { objectPath } from './layout.ts';

/** Where an instance's console is kept, and by whom. */
export type Console = {
  /** The attendant's own folder, which is all that it sees. */
  readonly folder: string;
  /** The newest part; older ones have `.1`, `.2` … appended. */
  readonly file: string;
  /** The attendant's user; who started it when absent. */
  readonly user?: number;
};

/** Tells where an instance's console is kept. */
export function consoleOf(
  { layout, namespaces }: Pick<DriverContext, 'layout' | 'namespaces'>,
  deployment: string,
  instance: string,
): Console {
  const folder = objectPath(layout, deployment, 'instance', instance, '.console');
  const user = namespaces.userOf(deployment, `console ${instance}`);
  return { ...consoleIn(folder), ...(user !== undefined && { user }) };
}

/** Tells where the console in a folder is kept. */
export function consoleIn(folder: string): Console {
  return { folder, file: join(folder, 'console') };
}

/** Opens a console's file to read. It is an attendant's, so a link there is not followed. */
export async function openConsole(path: string): ReturnType<typeof open> {
  return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
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
    const file = await openConsole(path);
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

/** Tells how a console's machine ended, as far as its attendant was there to see it. */
export async function howItEnded({ folder }: Console): Promise<string> {
  try {
    await using file = await openConsole(join(folder, 'end.json'));
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    const end: unknown = JSON.parse(buffer.toString('utf8', 0, bytesRead));
    if (!isMessage(end)) return 'ended';
    const { signal, exitCode } = end;
    if (typeof signal === 'string') return `was ended by a signal (${signal})`;
    return typeof exitCode === 'number' ? `ended with ${exitCode}` : 'ended';
  } catch (error) {
    if (systemCode(error) !== undefined || error instanceof SyntaxError) return 'ended';
    throw error;
  }
}
