import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

type Message = Readonly<Record<string, unknown>>;

/** What a command in a guest came to. */
export type Ended = { readonly exitCode: number; readonly stdout: Buffer; readonly stderr: string };

/** A session with a guest, as kit/PROTOCOL.md describes it. */
export type Session = {
  /** Sends a request and waits for its answer; fails with the guest's error. */
  readonly ask: (op: string, members?: Message) => Promise<Message>;
  /** Runs a command; the input is sent in pieces. */
  readonly run: (command: readonly string[], members?: Message, stdin?: Buffer) => Promise<Ended>;
  /** Sends bytes as they are. */
  readonly send: (text: string) => void;
  /** Vanishes without a word. */
  readonly close: () => void;
};

/** What may be on the way to a command that has not taken it. */
const windowBytes = 256 * 2 ** 10;
const pieceBytes = 48_000;

let count = 0;

/** Opens a session on a guest's socket, and waits until the guest answers. */
export async function openSession(path: string, limitMs = 60_000): Promise<Session> {
  const socket = connect(path);
  await once(socket, 'connect');
  const nonce = `n${process.pid}-${count++}`;
  const waiting = new Map<string, (message: Message) => void>();
  socket.setMaxListeners(0);
  socket.on('error', () => undefined); // what waits for an answer learns of it from the end of the socket
  const synchronised = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer on ${path}`));
      socket.destroy();
    }, limitMs);
    socket.once('close', () => reject(new Error(`${path} was closed`)));
    let isOpen = false;
    createInterface({ input: socket }).on('line', (line) => {
      const message = parse(line);
      if (message?.['sync'] === nonce) {
        isOpen = true;
        clearTimeout(timer);
        resolve();
      } else if (isOpen && message) waiting.get(String(message['id']))?.(message);
    });
  });
  socket.write(`\n${JSON.stringify({ sync: nonce })}\n`);
  await synchronised;
  return {
    ...requests(socket, waiting),
    send: (text) => void socket.write(text),
    close: () => socket.destroy(),
  };
}

function requests(
  socket: Socket,
  waiting: Map<string, (message: Message) => void>,
): Pick<Session, 'ask' | 'run'> {
  const ask = async (
    op: string,
    members: Message = {},
    onPiece: (message: Message) => void = () => undefined,
    onSent: (id: string) => void = () => undefined,
  ): Promise<Message> => {
    const id = `r${count++}`;
    return await new Promise((resolve, reject) => {
      socket.once('close', () => reject(new Error('the session was closed')));
      waiting.set(id, (message) => {
        if (message['error'])
          reject(Object.assign(new Error(JSON.stringify(message['error'])), message['error']));
        else if (message['ok']) resolve(message['ok'] as Message);
        else onPiece(message);
      });
      socket.write(`${JSON.stringify({ id, op, ...members })}\n`);
      onSent(id);
    });
  };
  const run = async (command: readonly string[], members: Message = {}, stdin?: Buffer): Promise<Ended> => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let sent = 0;
    let taken = 0;
    const feed = (id: string): void => {
      if (stdin === undefined || sent > stdin.length) return;
      while (sent < stdin.length && sent - taken + pieceBytes <= windowBytes) {
        const piece = stdin.subarray(sent, sent + pieceBytes);
        sent += piece.length;
        socket.write(`${JSON.stringify({ id, stdin: piece.toString('base64') })}\n`);
      }
      if (sent < stdin.length) return;
      sent += 1; // the end is sent once
      socket.write(`${JSON.stringify({ id, stdin: null })}\n`);
    };
    const ok = await ask(
      'exec',
      { command, ...members, ...(stdin && { stdin: true }) },
      (piece) => {
        if (typeof piece['stdout'] === 'string') stdout.push(Buffer.from(piece['stdout'], 'base64'));
        if (typeof piece['stderr'] === 'string') stderr.push(Buffer.from(piece['stderr'], 'base64'));
        taken += Number(piece['taken'] ?? 0);
        feed(String(piece['id']));
      },
      feed,
    );
    return {
      exitCode: Number(ok['exitCode']),
      stdout: Buffer.concat(stdout),
      stderr: Buffer.concat(stderr).toString(),
    };
  };
  return { ask: (op, members) => ask(op, members), run };
}

function parse(line: string): Message | undefined {
  try {
    return JSON.parse(line) as Message;
  } catch {
    return undefined;
  }
}
