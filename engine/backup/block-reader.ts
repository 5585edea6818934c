import { type FileHandle, open } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import { digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import { blockBytes } from '../model/volume.ts';
import type { SavedBlock } from '../volumes/saved-entry.ts';
import { partNames, unreadable } from './archive.ts';
import type { Archive } from './open-archive.ts';

/** Reads blocks out of a backup and those that it is based on. */
export class BlockReader {
  readonly #archives: readonly Archive[];
  #opened: { readonly path: string; readonly handle: FileHandle } | undefined;

  /** @param archives - the backup, then its bases in its own order */
  constructor(archives: readonly Archive[]) {
    this.#archives = archives;
  }

  /** Gives a block's bytes. @throws EngineError BACKUP_INCOMPLETE, BACKUP_UNREADABLE */
  async read({ archive, pack, offset, length, digest }: NonNullable<SavedBlock>): Promise<Uint8Array> {
    const from = this.#archives[archive];
    if (from === undefined)
      throw new EngineError(
        'BACKUP_INCOMPLETE',
        'the backup names a block of another one that it does not name',
      );
    if (length > 2 * blockBytes || offset < 0) throw unreadable(from.file, 'it is contradictory');
    const packed = Buffer.alloc(length);
    try {
      const handle = await this.#open(from.path(partNames.pack(pack)));
      await handle.read(packed, 0, length, offset);
      const bytes = zstdDecompressSync(packed, { maxOutputLength: blockBytes });
      if (digestOf(bytes) === digest) return bytes;
    } catch (cause) {
      throw unreadable(from.file, 'a block of it cannot be read', cause);
    }
    throw unreadable(from.file, 'a block of it has other bytes');
  }

  /** Lets go of what is open. */
  async close(): Promise<void> {
    await this.#opened?.handle.close();
    this.#opened = undefined;
  }

  async #open(path: string): Promise<FileHandle> {
    if (this.#opened?.path === path) return this.#opened.handle;
    await this.close();
    this.#opened = { path, handle: await open(path, 'r') };
    return this.#opened.handle;
  }
}
