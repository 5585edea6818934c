import {
  blockBytes,
  comparePaths,
  type ListedEntry,
  type VolumeChange,
  type VolumeEntry,
} from '../../model/volume.ts';

type Kept = { readonly entry: ListedEntry; readonly content: string };

/** What lies in one pretended volume: entries with their bytes, as a text between two acts. */
export class Files {
  readonly #kept: Map<string, { entry: ListedEntry; content: Buffer }>;
  #clock: number;
  #open: string | undefined;

  /** Reads what {@link text} wrote; an empty volume without it. */
  constructor(text: string | undefined) {
    const saved: { readonly clock: number; readonly kept: readonly Kept[] } =
      text === undefined ? { clock: 0, kept: [] } : JSON.parse(text);
    this.#clock = saved.clock;
    this.#kept = new Map(
      saved.kept.map(({ entry, content }) => [
        entry.path,
        { entry, content: Buffer.from(content, 'base64') },
      ]),
    );
    if (!this.#kept.has('')) this.#put({ ...plain, path: '', kind: 'folder', mode: 0o755 });
  }

  text(): string {
    const kept = [...this.#kept.values()].map(
      ({ entry, content }): Kept => ({ entry, content: content.toString('base64') }),
    );
    return JSON.stringify({ clock: this.#clock, kept });
  }

  /** Bytes that all files have together. */
  bytes(): number {
    return this.list().reduce((sum, { size }) => sum + size, 0);
  }

  list(): readonly ListedEntry[] {
    return [...this.#kept.values()]
      .map(({ entry }) => entry)
      .toSorted((a, b) => comparePaths(a.path, b.path));
  }

  /** Gives a file's block; undefined behind its end, or when there is no such file. */
  block(path: string, index: number): Buffer | undefined {
    const found = this.#kept.get(this.#kept.get(path)?.entry.linkTo ?? path);
    if (found?.entry.kind !== 'file' || index * blockBytes >= found.entry.size) return undefined;
    return found.content.subarray(index * blockBytes, (index + 1) * blockBytes);
  }

  /** Gives a whole file. */
  content(path: string): Buffer | undefined {
    const found = this.#kept.get(this.#kept.get(path)?.entry.linkTo ?? path);
    return found?.entry.kind === 'file' ? found.content : undefined;
  }

  /** Writes a whole file, and the folders above it, as a program in the guest would. */
  write(path: string, content: Uint8Array): void {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      if (!this.#kept.has(folder)) this.#put({ ...plain, path: folder, kind: 'folder', mode: 0o755 });
    }
    const entry = this.#kept.get(path)?.entry ?? { ...plain, path, kind: 'file', mode: 0o644 };
    this.#clock += 1;
    this.#put({ ...entry, size: content.byteLength, mtime: String(this.#clock) }, Buffer.from(content));
  }

  apply(change: VolumeChange): void {
    switch (change.kind) {
      case 'remove':
        for (const path of [...this.#kept.keys()])
          if (path === change.path || path.startsWith(`${change.path}/`)) this.#kept.delete(path);
        return;
      case 'make':
        this.#put(change.entry);
        return;
      case 'open': {
        const found = this.#kept.get(change.path);
        const content = Buffer.alloc(Math.min(change.size, longestContent));
        found?.content.copy(content);
        this.#put(
          {
            ...(found?.entry ?? { ...plain, path: change.path, kind: 'file', mode: 0o600 }),
            size: change.size,
          },
          content,
        );
        this.#open = change.path;
        return;
      }
      case 'write':
        this.#opened().content.set(change.block.bytes, change.index * blockBytes);
        return;
      case 'clear': {
        const { content } = this.#opened();
        const end = Math.min((change.index + change.count) * blockBytes, content.length);
        content.fill(0, Math.min(change.index * blockBytes, end), end);
        return;
      }
      case 'settle':
        this.#put(change.entry, this.#kept.get(change.entry.path)?.content);
        return;
      default:
        change satisfies never;
    }
  }

  #opened(): { content: Buffer } {
    return this.#kept.get(this.#open ?? '') ?? { content: Buffer.alloc(0) };
  }

  #put(entry: VolumeEntry, content: Buffer = Buffer.alloc(0)): void {
    this.#clock += 1;
    const inode = this.#kept.get(entry.linkTo ?? entry.path)?.entry.inode ?? String(this.#clock);
    this.#kept.set(entry.path, { entry: { ...entry, ctime: String(this.#clock), inode }, content });
  }
}

const plain = { uid: 0, gid: 0, mtime: '0', size: 0 } as const;

// longer ones are refused by every volume
const longestContent = 2 ** 28;
