import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { type Sealing, sealed } from '../formats/age.ts';
import { tarHeader } from '../formats/tar.ts';
import { settle } from '../whole-file.ts';
import { type BackupIndex, type BackupPart, partNames } from './archive.ts';

const recordBytes = 512;

/** Writes a backup part by part, each as it comes, encrypted when it shall be; the file gets its name when it is whole. */
export class ArchiveWriter {
  readonly #file: string;
  readonly #draft: string;
  readonly #out = new PassThrough();
  readonly #written: Promise<unknown>;
  readonly #parts: BackupPart[] = [];
  #failure: unknown;

  /** @param file - replaced when it is whole; mode 0600 */
  constructor(file: string, sealing: Sealing | undefined, signal: AbortSignal) {
    this.#file = file;
    this.#draft = `${file}.new`;
    this.#written = this.#write(sealing, signal).catch((cause: unknown) => {
      this.#failure = orDiskFull(cause, dirname(file));
      this.#out.destroy();
    });
  }

  async #write(sealing: Sealing | undefined, signal: AbortSignal): Promise<void> {
    await rm(this.#draft, { force: true });
    const content = sealing ? await sealed(this.#out, sealing) : this.#out;
    await pipeline(content, createWriteStream(this.#draft, { mode: 0o600, flags: 'wx', flush: true }), {
      signal,
    });
  }

  /** Adds a part. @param size - of the content in bytes */
  async add(path: string, content: AsyncIterable<Uint8Array> | Uint8Array, size: number): Promise<Digest> {
    await this.#send(
      await tarHeader({
        ...{ path, type: 'file', mode: 0o600, uid: 0, gid: 0, mtime: 0, size, target: '', attributes: {} },
      }),
    );
    const hash = createHash('sha256');
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      hash.update(chunk);
      await this.#send(chunk);
    }
    const rest = size % recordBytes;
    if (rest > 0) await this.#send(Buffer.alloc(recordBytes - rest));
    const digest: Digest = `sha256:${hash.digest('hex')}`;
    this.#parts.push({ path, digest, size });
    return digest;
  }

  /** Ends the backup. @returns its id and size in bytes */
  async finish(
    manifest: Digest,
    volumes: BackupIndex['volumes'],
  ): Promise<{ readonly id: Digest; readonly bytes: number }> {
    const index: BackupIndex = { manifest, parts: [...this.#parts], volumes };
    const text = Buffer.from(canonicalJson(index));
    await this.add(partNames.index, text, text.length);
    await this.#send(Buffer.alloc(2 * recordBytes));
    this.#out.end();
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
    const { size: bytes } = await stat(this.#draft);
    await settle(this.#draft, this.#file);
    return { id: digestOf(text), bytes };
  }

  /** Gives up; nothing is left. After {@link finish} it does nothing. */
  async close(): Promise<void> {
    this.#out.destroy();
    await this.#written;
    await rm(this.#draft, { force: true });
  }

  async #send(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#out.write(chunk)) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        this.#out.off('drain', over).off('close', over);
        resolve();
      };
      this.#out.once('drain', over).once('close', over);
      if (this.#out.destroyed) over();
    });
    if (this.#out.destroyed) await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
  }
}
