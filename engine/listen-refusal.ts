import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemCode } from './system-code.ts';

/**
 * Tries whether anything could listen at a place of this machine, by doing it for an instant.
 *
 * @param place - an IP address of either kind, and a port from 1
 * @returns `taken` when another program does, `absent` when the machine has no such address; undefined when it could,
 *   or when only the real attempt can tell
 */
export async function listenRefusal(place: {
  readonly address: string;
  readonly port: number;
  readonly transport: 'tcp' | 'udp';
}): Promise<'taken' | 'absent' | undefined> {
  try {
    await (place.transport === 'tcp' ? listen(place.address, place.port) : bind(place.address, place.port));
    return undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EADDRINUSE') return 'taken';
    return code === 'EADDRNOTAVAIL' ? 'absent' : undefined;
  }
}

async function listen(host: string, port: number): Promise<void> {
  const server = createServer().listen({ host, port });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

async function bind(address: string, port: number): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind({ address, port, exclusive: true });
    await once(socket, 'listening');
  } finally {
    socket.close();
  }
}
