import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'ava';
import { freePorts } from '../engine/free-ports.ts';
import { listenRefusal } from '../engine/listen-refusal.ts';

test('a port on which a program listens is taken, on its address and on all', async (t) => {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  t.is(await listenRefusal({ address: '127.0.0.1', port, transport: 'tcp' }), 'taken');
  t.is(await listenRefusal({ address: '0.0.0.0', port, transport: 'tcp' }), 'taken');
});

test('a datagram port is tried as such', async (t) => {
  const socket = createSocket('udp4').bind({ address: '127.0.0.1', port: 0 });
  await once(socket, 'listening');
  t.teardown(() => socket.close());

  t.is(await listenRefusal({ address: '127.0.0.1', port: socket.address().port, transport: 'udp' }), 'taken');
});

test('a free port is not refused, and is free again afterwards', async (t) => {
  const [port = 0] = await freePorts(1);

  for (const attempt of [1, 2])
    t.is(await listenRefusal({ address: '127.0.0.1', port, transport: 'tcp' }), undefined, `${attempt}`);
});

test('an address that the machine does not have is absent', async (t) => {
  for (const transport of ['tcp', 'udp'] as const)
    t.is(await listenRefusal({ address: '192.0.2.1', port: 8080, transport }), 'absent');
});
