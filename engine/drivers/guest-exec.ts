import type { Readable, Writable } from 'node:stream';
import { EngineError } from '../errors.ts';
import { type Channel, openChannel } from './channel.ts';
import type { ExecRequest } from './driver.ts';
import { type Connect, isMessage, type Message, type Patience, silent } from './line-socket.ts';

const answerTimeoutMs = 10_000;
/** Longer than a command may be silent: a day. Its own time limit, or the caller's signal, ends it before. */
const silenceTimeoutMs = 86_400_000;
const inputChunkBytes = 64 * 2 ** 10;
/** Input that may be on the way to a command. @source kit/PROTOCOL.md */
const inputWindowBytes = 256 * 2 ** 10;

/**
 * Runs a command in an instance and gives its exit code.
 *
 * Output is taken no faster than the caller's streams take it. When this process ends, the supervisor ends the command.
 *
 * @throws EngineError INSTANCE_SILENT, EXEC_FAILED when it could not be started, OPERATION_INTERRUPTED
 */
export async function executeOver(connect: Connect, request: ExecRequest): Promise<number> {
  const patience: Patience = { timeoutMs: answerTimeoutMs, signal: request.signal };
  const channel = await openChannel(connect, patience);
  const input = new AbortController();
  try {
    const { command, environment, user, timeoutMs } = request;
    const stdin = request.stdin !== undefined;
    const id = await channel.begin('exec', { command, environment, user, timeoutMs, stdin }, patience);
    const window = openInputWindow();
    const sending = request.stdin && sendInput(channel, id, request.stdin, window, input.signal);
    const code = await receiveOutput(channel, id, request, window);
    input.abort(); // a command may end before its input does
    await sending;
    return code;
  } finally {
    input.abort();
    channel.close();
  }
}

/** Keeps count of the input that a command has not taken yet. */
type InputWindow = {
  /** Waits until there is room, then counts the bytes as sent. Ends early when the signal fires. */
  readonly reserve: (bytes: number, ended: AbortSignal) => Promise<void>;
  /** Counts bytes as taken. */
  readonly release: (bytes: number) => void;
};

function openInputWindow(): InputWindow {
  let waiting = 0;
  let room = Promise.withResolvers<void>();
  return {
    async reserve(bytes, ended) {
      const stop = (): void => room.resolve();
      ended.addEventListener('abort', stop);
      while (waiting + bytes > inputWindowBytes && !ended.aborted) await room.promise;
      ended.removeEventListener('abort', stop);
      waiting += bytes;
    },
    release(bytes) {
      waiting = Math.max(0, waiting - bytes);
      room.resolve();
      room = Promise.withResolvers<void>();
    },
  };
}

async function receiveOutput(
  channel: Channel,
  id: number,
  request: ExecRequest,
  window: InputWindow,
): Promise<number> {
  const limitMs = request.timeoutMs === undefined ? silenceTimeoutMs : request.timeoutMs + answerTimeoutMs;
  const patience: Patience = { timeoutMs: limitMs, signal: request.signal };
  for (;;) {
    const message = await channel.next(id, patience);
    await write(request.stdout, message['stdout']);
    await write(request.stderr, message['stderr']);
    if (typeof message['taken'] === 'number') window.release(message['taken']);
    if ('ok' in message) return exitCodeOf(message);
  }
}

async function write(stream: Writable, content: unknown): Promise<void> {
  if (typeof content !== 'string') return;
  await new Promise<void>((resolve, reject) => {
    stream.write(Buffer.from(content, 'base64'), (error) => {
      if (error)
        reject(new EngineError('EXEC_FAILED', 'the output has nowhere to go any more', { cause: error }));
      else resolve();
    });
  });
}

function exitCodeOf({ ok }: Message): number {
  const code = isMessage(ok) ? ok['exitCode'] : undefined;
  if (typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= 255) return code;
  throw silent('its answer is none');
}

/** Sends the input until its end, or until the command has ended. */
async function sendInput(
  channel: Channel,
  id: number,
  stdin: Readable,
  window: InputWindow,
  ended: AbortSignal,
): Promise<void> {
  const patience: Patience = { timeoutMs: silenceTimeoutMs, signal: ended };
  try {
    for await (const chunk of untilEnded(stdin, ended)) {
      for (let at = 0; at < chunk.length; at += inputChunkBytes) {
        const part = chunk.subarray(at, at + inputChunkBytes);
        await window.reserve(part.length, ended);
        if (ended.aborted) return;
        await channel.add(id, { stdin: part.toString('base64') }, patience);
      }
    }
    if (!ended.aborted) await channel.add(id, { stdin: null }, patience);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error; // the channel's end is reported by who waits for the exit code
  }
}

/** Reads a stream without destroying it: it is the caller's, and may be the terminal. */
async function* untilEnded(stdin: Readable, ended: AbortSignal): AsyncGenerator<Buffer> {
  const stop = Promise.withResolvers<IteratorReturnResult<undefined>>();
  ended.addEventListener('abort', () => stop.resolve({ done: true, value: undefined }), { once: true });
  const chunks = stdin.iterator({ destroyOnReturn: false });
  for (;;) {
    const next = await Promise.race([chunks.next(), stop.promise]);
    if (next.done) return;
    yield Buffer.from(next.value);
  }
}
