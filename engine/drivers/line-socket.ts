import type { Duplex } from 'node:stream';
import { EngineError } from '../errors.ts';

/** A JSON object that came over a socket; nothing is known of its members. */
export type Message = { readonly [member: string]: unknown };

/** Bounds of a conversation. */
export type Patience = {
  /** Milliseconds after which the other side counts as silent. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** Opens a stream to an instance's supervisor, within the patience. @throws EngineError INSTANCE_SILENT */
export type Connect = (patience: Patience) => Promise<LineSocket>;

const lineLimit = 2 ** 20 + 1024;

/**
 * A stream on which each side speaks lines of JSON, such as a unix socket.
 *
 * The other side may be hostile: a line's length and the time of each answer are bounded, and what is read but not yet asked
 * for is bounded by the stream's own buffer.
 */
export class LineSocket {
  readonly #socket: Duplex;
  readonly #lines: AsyncGenerator<string, undefined>;

  constructor(socket: Duplex) {
    this.#socket = socket;
    this.#lines = readLines(socket);
  }

  /** Sends one message, and waits while the other side takes nothing. */
  async send(message: Message, patience: Patience): Promise<void> {
    await this.#sendText(`${JSON.stringify(message)}\n`, patience);
  }

  /** Sends an empty line, which ends whatever a client before us left unfinished. */
  async sendBreak(patience: Patience): Promise<void> {
    await this.#sendText('\n', patience);
  }

  /** Gives the next line that is a JSON object; other lines are passed over. @throws EngineError INSTANCE_SILENT */
  async receive(patience: Patience): Promise<Message> {
    return await this.#within(patience, async () => {
      for (;;) {
        const { value, done } = await this.#lines.next();
        if (done || value === undefined) throw silent('it closed its channel');
        const message = parseMessage(value);
        if (message !== undefined) return message;
      }
    });
  }

  /** Ends the conversation; whatever waits for an answer fails. */
  close(): void {
    this.#socket.destroy();
  }

  async #sendText(text: string, patience: Patience): Promise<void> {
    await this.#within(
      patience,
      () =>
        new Promise<void>((resolve, reject) => {
          this.#socket.write(text, (error) => (error ? reject(silent('it closed its channel')) : resolve()));
        }),
    );
  }

  async #within<T>({ timeoutMs, signal }: Patience, act: () => Promise<T>): Promise<T> {
    if (signal?.aborted) throw stopped();
    let reason = silent(`no answer for ${timeoutMs} ms`);
    const end = (): void => void this.#socket.destroy(); // what waits for the socket then ends
    const timer = setTimeout(end, timeoutMs);
    const abort = (): void => {
      reason = stopped();
      end();
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await act();
    } catch (error) {
      if (this.#socket.destroyed) throw error instanceof EngineError && !signal?.aborted ? error : reason;
      throw error instanceof EngineError ? error : silent('its channel broke', error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** Makes the error for an instance that does not speak, or not as agreed. */
export function silent(why: string, cause?: unknown): EngineError {
  return new EngineError('INSTANCE_SILENT', `the instance does not answer: ${why}`, {
    hint: 'Look at its log.',
    cause,
  });
}

/** Makes the error for a conversation that the caller ended. */
export function stopped(): EngineError {
  return new EngineError(
    'OPERATION_INTERRUPTED',
    'the conversation with the instance was stopped on request',
  );
}

async function* readLines(socket: Duplex): AsyncGenerator<string, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = Buffer.concat([...parts, rest.subarray(0, end)]);
      parts = [];
      length = 0;
      rest = rest.subarray(end + 1);
      if (line.length > lineLimit) throw silent('a line has no end');
      yield line.toString('utf8');
    }
    length += rest.length;
    if (length > lineLimit) throw silent('a line has no end');
    if (rest.length > 0) parts.push(rest);
  }
  return undefined;
}

function parseMessage(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isMessage(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Tells whether a value is a JSON object. */
export function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
