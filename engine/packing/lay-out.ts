import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { lockText } from '../compile/lock.ts';
import { orDiskFull } from '../disk-full.ts';
import type { PackedSource } from '../model/packed-source.ts';
import { openProcessFolder } from '../process-folder.ts';
import type { PackedPlaces } from '../read/read-attachments.ts';
import { lockFile } from '../read/read-lock.ts';
import { contradictory } from './packed-closure.ts';

/** A packed source's descriptions as a folder. */
export type LaidOut = {
  /** Absolute. */
  readonly folder: string;
  readonly packedPlaces: PackedPlaces;
  readonly remove: () => Promise<void>;
};

/**
 * Writes the descriptions of a packed source into a folder of its own, with the lock, so that it can be read like any
 * other. Content folders and disks are empty.
 *
 * @param scratch - parent of the folder, as `openProcessFolder` takes it
 * @throws EngineError BUNDLE_CONTRADICTORY when a path leads out of the folder or lies below a file; DISK_FULL
 */
export async function layOut(packed: PackedSource, scratch: string): Promise<LaidOut> {
  const { list } = packed;
  const paths = [...Object.keys(list.files), ...Object.keys(list.places)];
  const { files: texts, places } = list;
  const disks = Object.keys(places).filter((path) => places[path]?.kind === 'disk');
  const files = new Set([...Object.keys(texts), ...disks]);
  for (const path of paths) {
    const above = path.split('/').map((_, index, parts) => parts.slice(0, index).join('/'));
    if (!isPlain(path) || above.some((each) => files.has(each)))
      throw contradictory(list, `holds the path ${JSON.stringify(path)}, which no file can have`);
  }
  const folder = await realpath(await mkdtemp(join(await openProcessFolder(scratch), 'packed-')));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    for (const [path, { digest }] of Object.entries(list.files))
      await writeInto(folder, path, await packed.readFile(digest));
    for (const [path, { kind }] of Object.entries(list.places)) {
      if (kind === 'disk') await writeInto(folder, path, '');
      else await mkdir(join(folder, path), { recursive: true, mode: 0o700 });
    }
    await writeFile(join(folder, lockFile), lockText(list.lock), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    await remove();
    throw orDiskFull(cause, folder);
  }
  const packedPlaces = new Map(
    Object.entries(list.places).map(([path, { digest }]) => [join(folder, path), digest]),
  );
  return { folder, packedPlaces, remove };
}

async function writeInto(folder: string, path: string, content: Uint8Array | string): Promise<void> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, content, { flag: 'wx', mode: 0o600 });
}

function isPlain(path: string): boolean {
  return (
    path !== '' &&
    path !== lockFile &&
    posix.normalize(path) === path &&
    !path.startsWith('/') &&
    !path.split('/').includes('..') &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    !/[\u0000-\u001f\u007f\\]/.test(path)
  );
}
