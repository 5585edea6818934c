import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { systemCode } from '../../system-code.ts';
import { type Connect, LineSocket, type Patience, silent, stopped } from '../line-socket.ts';

/** Gives what connects to a unix socket of a machine. */
export function unixSocket(path: string): Connect {
  return (patience) => connectLines(path, patience);
}

/**
 * Connects to a unix socket.
 *
 * QEMU serves one client at a time and lets few others queue; when the queue is full this tries again within the patience.
 */
export async function connectLines(path: string, patience: Patience): Promise<LineSocket> {
  const deadline = Date.now() + patience.timeoutMs;
  for (;;) {
    if (patience.signal?.aborted) throw stopped();
    try {
      return new LineSocket(await connectOnce(path));
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN' || Date.now() > deadline)
        throw silent('its channel is not open', error);
      await delay(25);
    }
  }
}

/** Connects to a unix socket, once. */
export async function connectOnce(path: string): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.on('error', () => undefined); // reported by the read or write that it breaks
      resolve(socket);
    });
  });
}
