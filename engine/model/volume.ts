/** Bytes of a block, the unit in which files are compared and carried. The last block of a file may be shorter. */
export const blockBytes = 64 * 2 ** 10;

/** What may lie in a volume. Devices and sockets are left out: devices have no place there, sockets are made by who listens. */
export type EntryKind = 'folder' | 'file' | 'symlink' | 'fifo';

/** One thing in a volume, without the bytes of files. */
export type VolumeEntry = {
  /**
   * From the volume's top, without a slash in front; '' is the top folder itself. Linux's names are bytes, so each character
   * stands for one byte (latin1), and order is that of bytes. @see pathText
   */
  readonly path: string;
  readonly kind: EntryKind;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970 in decimal; they do not fit a number. */
  readonly mtime: string;
  /** Bytes of a file; 0 for others. */
  readonly size: number;
  /** Of a symlink: where it leads, byte for byte as in `path`. */
  readonly target?: string;
  /** Path of the first entry that is the same file, which then says everything else about it. */
  readonly linkTo?: string;
  /** Extended attributes by name, in base64: access lists and capabilities among them. Absent when there are none. */
  readonly attributes?: Readonly<Record<string, string>>;
};

/** An entry as it was found, with what tells later whether the file was touched since. */
export type ListedEntry = VolumeEntry & { readonly ctime: string; readonly inode: string };

/** A run of blocks of one file. */
export type BlockRange = { readonly path: string; readonly first: number; readonly count: number };

/**
 * A block's mark: 32 hex digits, a keyed hash; '' of a block of zeros. Under the same key equal blocks have equal marks,
 * and who does not know the key finds no two blocks of one mark.
 */
export type Mark = string;

/** A block as it was read, and the mark of these very bytes; of a block of zeros `bytes` is empty and `size` its length. */
export type ReadBlock = { readonly mark: Mark; readonly bytes: Uint8Array; readonly size: number };

/**
 * One change to a volume, in an order in which a folder comes before what is in it. Each may be repeated.
 *
 * `make` makes something where nothing is; `open` makes a file where nothing is, gives it its size, and names the file into
 * which the next `write` and `clear` go; `settle` sets owner, mode, attributes and time, of a folder after all in it.
 */
export type VolumeChange =
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'make'; readonly entry: VolumeEntry }
  | { readonly kind: 'open'; readonly path: string; readonly size: number }
  | { readonly kind: 'write'; readonly index: number; readonly block: ReadBlock }
  | { readonly kind: 'clear'; readonly index: number; readonly count: number }
  | { readonly kind: 'settle'; readonly entry: VolumeEntry };

/**
 * A way to the data of one volume of a running instance.
 *
 * One act at a time. What comes back was said by the instance: it is checked to be well formed and bounded, not to be true. An
 * access ends with its signal, and when its end is reached by an error.
 *
 * @throws EngineError from every act: INSTANCE_SILENT when the instance ends or does not speak as agreed, VOLUME_FULL,
 *   VOLUME_UNUSABLE when the instance cannot do it, OPERATION_INTERRUPTED
 */
export interface VolumeAccess {
  /** Lists everything, each folder before what is in it, names in the order of their bytes; first the top folder. */
  list(): AsyncIterable<ListedEntry>;
  /** Gives the marks of each range in turn; fewer than asked for where the file ends, none where there is no such file any more. */
  marks(key: string, ranges: AsyncIterable<BlockRange>): AsyncIterable<readonly Mark[]>;
  /** Reads each range in turn, block by block; fewer where the file ends. The next range is asked for before the last has come. */
  read(key: string, ranges: AsyncIterable<BlockRange>): AsyncIterable<readonly ReadBlock[]>;
  /**
   * Carries changes out and waits until they are on the disk. Each written block is held against its mark first.
   *
   * @throws EngineError VOLUME_BUSY unless the instance is held
   */
  apply(key: string, changes: AsyncIterable<VolumeChange>): Promise<void>;
  close(): Promise<void>;
}

/** Gives a path as a text for people. */
export function pathText(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

/** Compares paths in the order of {@link VolumeAccess.list}: a folder, all in it, then its next neighbour. */
export function comparePaths(a: string, b: string): number {
  const [first, second] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return first < second ? -1 : first > second ? 1 : 0;
}
