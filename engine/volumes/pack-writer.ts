import { zstdCompressSync } from 'node:zlib';
import { type Digest, digestOf } from '../digest.ts';
import type { ReadBlock } from '../model/volume.ts';
import type { SavedBlock } from './saved-entry.ts';

/** Bytes from which on a pack is given away. */
const packBytes = 8 * 2 ** 20;
/** Blocks that are remembered so that equal ones are kept once; more would take too much memory. */
const mostRemembered = 1_000_000;

/** Collects blocks, compressed, in packs, so that many small files are few large ones. */
export class PackWriter {
  readonly #write: (pack: number, content: Uint8Array) => Promise<void>;
  readonly #known = new Map<Digest, Omit<NonNullable<SavedBlock>, 'mark'>>();
  #chunks: Uint8Array[] = [];
  #length = 0;
  #pack = 0;

  /** @param write - takes a whole pack; packs are numbered from 0 */
  constructor(write: (pack: number, content: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Keeps a block. Its name is the digest of the bytes that came, whatever was said about them. */
  async add({ mark, bytes }: ReadBlock): Promise<SavedBlock> {
    if (mark === '') return null;
    const digest = digestOf(bytes);
    const known = this.#known.get(digest);
    if (known !== undefined) return { ...known, mark };
    const packed = zstdCompressSync(bytes);
    const place = { digest, archive: 0, pack: this.#pack, offset: this.#length, length: packed.length };
    this.#chunks.push(packed);
    this.#length += packed.length;
    if (this.#known.size < mostRemembered) this.#known.set(digest, place);
    if (this.#length >= packBytes) await this.flush();
    return { ...place, mark };
  }

  /** Gives away what has been collected. */
  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const content = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    await this.#write(this.#pack, content);
    this.#pack += 1;
  }
}
