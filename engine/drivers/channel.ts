import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors.ts';
import {
  type Connect,
  isMessage,
  type LineSocket,
  type Message,
  type Patience,
  silent,
} from './line-socket.ts';

const greetAgainMs = 200;

/** A conversation with an instance's supervisor; see kit/PROTOCOL.md. */
export class Channel {
  readonly #socket: LineSocket;
  #requests = 0;

  constructor(socket: LineSocket) {
    this.#socket = socket;
  }

  /** Sends a request and gives its number. */
  async begin(op: string, members: Message, patience: Patience): Promise<number> {
    this.#requests += 1;
    await this.#socket.send({ ...members, id: this.#requests, op }, patience);
    return this.#requests;
  }

  /** Sends more to a request that runs. */
  async add(request: number, members: Message, patience: Patience): Promise<void> {
    await this.#socket.send({ ...members, id: request }, patience);
  }

  /** Gives the next message that belongs to a request; others are passed over. @throws EngineError EXEC_FAILED when the guest refuses it */
  async next(request: number, patience: Patience): Promise<Message> {
    const deadline = Date.now() + patience.timeoutMs;
    for (;;) {
      const message = await this.#socket.receive({
        ...patience,
        timeoutMs: Math.max(deadline - Date.now(), 1),
      });
      if (message['id'] !== request) continue;
      const error = message['error'];
      if (error === undefined) return message;
      throw new EngineError('EXEC_FAILED', `the instance refused: ${plainText(errorText(error))}`, {
        details: { code: plainText(isMessage(error) ? wordOf(error['code']) : '') },
      });
    }
  }

  /** Sends a request and gives what it was answered. */
  async request(op: string, members: Message, patience: Patience): Promise<Message> {
    const request = await this.begin(op, members, patience);
    const { ok } = await this.next(request, patience);
    if (!isMessage(ok)) throw silent('its answer is none');
    return ok;
  }

  /** Ends the conversation, and in the guest whatever it still runs for it. */
  close(): void {
    this.#socket.close();
  }
}

/**
 * Opens a conversation with an instance's supervisor.
 *
 * Earlier clients may have left half a request, or answers unread: both sides pass over everything up to a fresh nonce.
 *
 * @throws EngineError INSTANCE_SILENT
 */
export async function openChannel(connect: Connect, patience: Patience): Promise<Channel> {
  const deadline = Date.now() + patience.timeoutMs;
  const left = (): Patience => ({ ...patience, timeoutMs: Math.max(deadline - Date.now(), 1) });
  const socket = await connect(patience);
  try {
    await synchronize(socket, left);
    return new Channel(socket);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Sends a nonce until it comes back.
 *
 * Once is not enough: a guest that is about to notice that the client before us went throws away what it has not read.
 */
async function synchronize(socket: LineSocket, left: () => Patience): Promise<void> {
  const sync = randomBytes(12).toString('hex');
  const greet = async (): Promise<void> => {
    await socket.sendBreak(left());
    await socket.send({ sync }, left());
  };
  await greet();
  // a broken socket is reported by the wait for the answer
  const again = setInterval(() => void greet().catch(() => undefined), greetAgainMs);
  try {
    while ((await socket.receive(left()))['sync'] !== sync);
  } finally {
    clearInterval(again);
  }
}

/** Asks an instance's supervisor one thing. */
export async function ask(
  connect: Connect,
  op: string,
  members: Message,
  patience: Patience,
): Promise<Message> {
  const deadline = Date.now() + patience.timeoutMs;
  const channel = await openChannel(connect, patience);
  try {
    return await channel.request(op, members, {
      ...patience,
      timeoutMs: Math.max(deadline - Date.now(), 1),
    });
  } finally {
    channel.close();
  }
}

/** Makes a guest's text safe to show: one line, no control or invisible formatting characters, at most 200 characters. */
export function plainText(text: string): string {
  const clean = text
    .slice(0, 2000)
    .replace(/\s+/g, ' ')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
    .trim();
  return clean.length > 200 ? `${clean.slice(0, 199)}…` : clean;
}

/** Writes a guest's word or number; anything else might not let itself be written, such as `{"toString":1}`. */
export function wordOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '?';
}

function errorText(error: unknown): string {
  return isMessage(error) && typeof error['message'] === 'string' ? error['message'] : 'no reason given';
}
