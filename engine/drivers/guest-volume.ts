import { EngineError } from '../errors.ts';
import type {
  BlockRange,
  ListedEntry,
  Mark,
  ReadBlock,
  VolumeAccess,
  VolumeChange,
} from '../model/volume.ts';
import { blockBytes } from '../model/volume.ts';
import type { ByteStream } from './byte-stream.ts';
import { plainText, wordOf } from './channel.ts';
import { isMessage, type Patience } from './line-socket.ts';
import { EntryCheck } from './volume-entries.ts';

/** How long an instance may work on one piece of an answer. */
const patience: Patience = { timeoutMs: 120_000 };
/** Bringing everything to the disk may take long. */
const syncPatience: Patience = { timeoutMs: 900_000 };
/** @source kit/internal/volume */
const mostPayload = 512 * 2 ** 10;
const markBytes = 16;
const noMark = '0'.repeat(2 * markBytes);

/** What the way to a volume is made of. */
export type GuestVolumeParts = {
  /** Key of the volume, for messages. */
  readonly volume: string;
  /** Speaks with the kit's program that stands in the volume. */
  readonly stream: ByteStream;
  /** Tells whether the instance is held now. */
  readonly isHeld: () => Promise<boolean>;
  /** Lets go of whatever carried the stream. */
  readonly release: () => Promise<void>;
};

/** Opens the way to a volume through the kit's program in the instance; see kit/PROTOCOL.md. */
export function openGuestVolume(parts: GuestVolumeParts): VolumeAccess {
  const { volume, stream } = parts;
  const talk = new FrameTalk(stream, volume);
  return {
    async *list(): AsyncGenerator<ListedEntry> {
      const check = new EntryCheck(volume);
      yield* talk.list((payload) => check.entries(payload));
    },
    async *marks(key, ranges) {
      yield* talk.ask('M', key, ranges, async ({ count }) => {
        const { payload } = await talk.next('m');
        if (payload.length % markBytes !== 0 || payload.length > count * markBytes) throw talk.malformed();
        return Array.from({ length: payload.length / markBytes }, (_, index) =>
          markOf(payload.subarray(index * markBytes, (index + 1) * markBytes)),
        );
      });
    },
    async *read(key, ranges) {
      yield* talk.ask('R', key, ranges, async ({ count }) => {
        const blocks: ReadBlock[] = [];
        for (let frame = await talk.next('b', 'e'); frame.kind === 'b'; frame = await talk.next('b', 'e')) {
          if (blocks.length === count) throw talk.malformed();
          blocks.push(blockOf(frame.payload, talk));
        }
        return blocks;
      });
    },
    async apply(key, changes) {
      if (!(await parts.isHeld()))
        throw new EngineError('VOLUME_BUSY', `the volume ${volume} is in use: its instance is not held`);
      await talk.apply(key, changes);
    },
    async close() {
      stream.end();
      await parts.release();
    },
  };
}

function markOf(bytes: Buffer): Mark {
  const mark = bytes.toString('hex');
  return mark === noMark ? '' : mark;
}

function blockOf(payload: Buffer, talk: FrameTalk): ReadBlock {
  if (payload.length < 4 + markBytes) throw talk.malformed();
  const size = payload.readUInt32BE(0);
  const mark = markOf(payload.subarray(4, 4 + markBytes));
  const bytes = payload.subarray(4 + markBytes);
  if (size < 1 || size > blockBytes || bytes.length !== (mark === '' ? 0 : size)) throw talk.malformed();
  return { mark, bytes, size };
}

type Frame = { readonly kind: string; readonly payload: Buffer };

/** Frames over a stream: length, kind, payload. An act that does not come to its end ends the stream. */
class FrameTalk {
  readonly #stream: ByteStream;
  readonly #volume: string;

  constructor(stream: ByteStream, volume: string) {
    this.#stream = stream;
    this.#volume = volume;
  }

  malformed(): EngineError {
    return new EngineError(
      'VOLUME_UNUSABLE',
      `the volume ${this.#volume}: the instance does not answer as agreed`,
      {
        hint: 'Look at its log.',
      },
    );
  }

  async send(kind: string, ...parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(length);
    head.write(kind, 4, 'latin1');
    await this.#stream.send(Buffer.concat([head, ...parts]), patience);
  }

  /** Waits for a frame of one of the kinds. */
  async next(...kinds: readonly string[]): Promise<Frame> {
    return await this.#next(kinds, patience);
  }

  async #next(kinds: readonly string[], wait: Patience): Promise<Frame> {
    const head = await this.#stream.bytes(5, wait);
    const length = head.readUInt32BE(0);
    const kind = head.toString('latin1', 4);
    if (length > mostPayload) throw this.malformed();
    const payload = Buffer.from(await this.#stream.bytes(length, patience));
    if (kind === 'X') throw this.#refusal(payload);
    if (!kinds.includes(kind)) throw this.malformed();
    return { kind, payload };
  }

  /** Asks for the list, and gives what `read` makes of its pieces. */
  async *list<T>(read: (payload: Buffer) => Iterable<T>): AsyncGenerator<T> {
    let isWhole = false;
    try {
      await this.send('L');
      for (let frame = await this.next('E', 'Z'); frame.kind === 'E'; frame = await this.next('E', 'Z'))
        yield* read(frame.payload);
      isWhole = true;
    } finally {
      if (!isWhole) this.#stream.end(); // nobody can go on in the middle of an answer
    }
  }

  /** Asks for ranges, and gives the answer to each in turn. Asking runs ahead as far as the instance takes it. */
  async *ask<T>(
    kind: string,
    key: string,
    ranges: AsyncIterable<BlockRange>,
    answer: (range: BlockRange) => Promise<T>,
  ): AsyncGenerator<T> {
    const asked: BlockRange[] = [];
    let news = Promise.withResolvers<void>();
    let isOver = false;
    const asking = async (): Promise<void> => {
      await this.send(kind, Buffer.from(key, 'hex'));
      for await (const range of ranges) {
        const head = Buffer.alloc(12);
        head.writeBigUInt64BE(BigInt(range.first));
        head.writeUInt32BE(range.count, 8);
        await this.send('r', head, Buffer.from(range.path, 'latin1'));
        asked.push(range);
        news.resolve();
      }
      await this.send('z');
      isOver = true;
      news.resolve();
    };
    const failing = Promise.withResolvers<never>();
    failing.promise.catch(() => undefined);
    const sent = asking().catch((error: unknown) => {
      failing.reject(error);
      this.#stream.end(error instanceof EngineError ? error : undefined);
    });
    let isWhole = false;
    try {
      for (;;) {
        const range = asked.shift();
        if (range !== undefined) {
          yield await Promise.race([answer(range), failing.promise]);
          continue;
        }
        if (isOver) break;
        await Promise.race([news.promise, failing.promise]);
        news = Promise.withResolvers<void>();
      }
      await this.next('Z');
      await sent;
      isWhole = true;
    } finally {
      if (!isWhole) this.#stream.end(); // nobody can go on in the middle of an answer
    }
  }

  async apply(key: string, changes: AsyncIterable<VolumeChange>): Promise<void> {
    let refusal: EngineError | undefined;
    const ended = new AbortController();
    const day: Patience = { timeoutMs: 86_400_000 };
    const answered = this.#next(['Z'], day).catch((error: unknown) => {
      refusal = error instanceof EngineError ? error : this.malformed();
      ended.abort();
      this.#stream.end(refusal);
    });
    try {
      await this.send('A', Buffer.from(key, 'hex'));
      for await (const change of changes) {
        if (ended.signal.aborted) break;
        await this.#sendChange(change);
      }
      if (!ended.signal.aborted) await this.send('z');
    } catch (error) {
      this.#stream.end(error instanceof EngineError ? error : undefined);
      await answered;
      throw refusal ?? error;
    }
    const late = setTimeout(() => this.#stream.end(), syncPatience.timeoutMs);
    await answered;
    clearTimeout(late);
    if (refusal !== undefined) throw refusal;
  }

  async #sendChange(change: VolumeChange): Promise<void> {
    if (change.kind !== 'write') {
      await this.send('c', Buffer.from(JSON.stringify(change)));
      return;
    }
    const { mark, bytes } = change.block;
    const index = Buffer.alloc(8);
    index.writeBigUInt64BE(BigInt(change.index));
    await this.send('w', index, Buffer.from(mark === '' ? noMark : mark, 'hex'), bytes);
  }

  #refusal(payload: Buffer): EngineError {
    const said = parsed(payload);
    const message = isMessage(said) ? plainText(wordOf(said['message'])) : '';
    if (isMessage(said) && said['code'] === 'VOLUME_FULL')
      return new EngineError('VOLUME_FULL', `the data do not fit into the volume ${this.#volume}`, {
        hint: 'Make the volume larger.',
        details: { volume: this.#volume },
      });
    return new EngineError('VOLUME_UNUSABLE', `the volume ${this.#volume}: ${message}`, {
      details: { volume: this.#volume },
    });
  }
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}
