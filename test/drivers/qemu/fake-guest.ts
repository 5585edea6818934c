import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What a pretend supervisor does with each message that is not a sync. */
export type Behaviour = (message: Readonly<Record<string, unknown>>, socket: Socket) => void;

/** A pretend supervisor behind a unix socket, and the folder it lives in. */
export type FakeGuest = {
  readonly path: string;
  readonly folder: string;
  readonly close: () => Promise<void>;
};

/** Opens a guest that syncs as kit/PROTOCOL.md tells and then behaves as it is told. */
export async function openFakeGuest(behave: Behaviour): Promise<FakeGuest> {
  return await openFakeSocket((socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      if (line === '') return;
      const message = JSON.parse(line) as Record<string, unknown>;
      if ('sync' in message) say(socket, message);
      else behave(message, socket);
    });
  });
}

/** Opens a unix socket whose every client is handed to `greet`. */
export async function openFakeSocket(greet: (socket: Socket) => void): Promise<FakeGuest> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-guest-'));
  const path = join(folder, 'control.sock');
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  };
  return { path, folder, close };
}

/** Sends one message. */
export function say(socket: Socket, message: unknown): void {
  socket.write(`${JSON.stringify(message)}\n`);
}
