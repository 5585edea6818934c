import type { Duplex } from 'node:stream';
import { EngineError } from '../errors.ts';
import { type Patience, silent, stopped } from './line-socket.ts';

const lineLimit = 2 ** 16;

/**
 * A stream of bytes to and from an instance, read by lines or by numbers of bytes.
 *
 * The other side may be hostile: nothing is read ahead of what was asked for, and whoever waits too long ends the stream.
 */
export class ByteStream {
  readonly #duplex: Duplex;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #end: EngineError | undefined;

  constructor(duplex: Duplex, signal: AbortSignal) {
    this.#duplex = duplex;
    duplex.on('error', () => undefined); // reported by the read or write that it breaks
    this.#chunks = duplex[Symbol.asyncIterator]();
    const abort = (): void => this.end(stopped());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    duplex.once('close', () => signal.removeEventListener('abort', abort));
  }

  /** Ends the stream; whatever waits fails with the reason that was given first. */
  end(reason: EngineError = silent('its channel was closed')): void {
    this.#end ??= reason;
    this.#duplex.destroy();
  }

  /** Gives the next line without its end. */
  async line(patience: Patience): Promise<string> {
    return await this.#within(patience, async () => {
      for (;;) {
        const end = this.#rest.indexOf(10);
        if (end >= 0) return this.#take(end + 1).toString('utf8', 0, end);
        if (this.#rest.length > lineLimit) throw silent('a line has no end');
        this.#rest = Buffer.concat([this.#rest, await this.#more()]);
      }
    });
  }

  /** Gives so many bytes. */
  async bytes(count: number, patience: Patience): Promise<Buffer> {
    if (this.#rest.length >= count) return this.#take(count);
    return await this.#within(patience, async () => {
      const chunks = [this.#rest];
      for (let length = this.#rest.length; length < count; ) {
        const chunk = await this.#more();
        chunks.push(chunk);
        length += chunk.length;
      }
      this.#rest = Buffer.concat(chunks);
      return this.#take(count);
    });
  }

  /** Sends bytes, and waits while the other side takes nothing. */
  async send(bytes: Uint8Array | string, patience: Patience): Promise<void> {
    if (this.#end) throw this.#end;
    if (this.#duplex.write(bytes)) return;
    await this.#within(
      patience,
      () =>
        new Promise<void>((resolve, reject) => {
          const over = (error?: Error): void => {
            this.#duplex.off('drain', over).off('close', closed);
            if (error) reject(error);
            else resolve();
          };
          const closed = (): void => over(silent('it closed its channel'));
          this.#duplex.once('drain', over).once('close', closed);
          if (this.#duplex.destroyed) closed();
        }),
    );
  }

  #take(count: number): Buffer {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  async #more(): Promise<Buffer> {
    const { value, done } = await this.#chunks.next();
    if (done) throw silent('it closed its channel');
    return value;
  }

  async #within<T>({ timeoutMs }: Patience, act: () => Promise<T>): Promise<T> {
    if (this.#end) throw this.#end;
    const timer = setTimeout(() => this.end(silent(`no answer for ${timeoutMs} ms`)), timeoutMs);
    try {
      return await act();
    } catch (error) {
      throw this.#end ?? (error instanceof EngineError ? error : silent('its channel broke', error));
    } finally {
      clearTimeout(timer);
    }
  }
}
