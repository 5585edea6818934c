import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** What {@link pretendGuest} may be told, one JSON object a line. */
export type GuestOrder =
  | { readonly do: 'listen'; readonly transport: 'tcp' | 'udp'; readonly port: number }
  | {
      readonly do: 'call';
      readonly transport: 'tcp' | 'udp';
      readonly address: string;
      readonly port: number;
      readonly from?: string;
      readonly fromPort?: number;
    };

const answerTimeoutMs = 700;

// run by `nsenter --net=… node pretend-guest.ts`: a program that listens and calls as it is told
if (import.meta.filename === process.argv[1]) {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await obey(JSON.parse(line) as GuestOrder)));
  }
  process.exit(0);
}

async function obey(order: GuestOrder): Promise<string> {
  if (order.do === 'listen') return await listen(order.transport, order.port);
  return order.transport === 'tcp' ? await callTcp(order) : await callUdp(order);
}

async function listen(transport: 'tcp' | 'udp', port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  if (transport === 'tcp')
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(`${socket.remoteAddress}`);
    }).listen(port, '0.0.0.0', () => resolve('listens'));
  else {
    const socket = createSocket('udp4');
    socket.on('message', (_, from) => socket.send(from.address, from.port, from.address));
    socket.bind(port, () => resolve('listens'));
  }
  return await promise;
}

/** @returns the address that the other side saw, or `nothing` */
async function callTcp(order: Extract<GuestOrder, { do: 'call' }>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { address, port, from, fromPort } = order;
  const socket = connect({
    host: address,
    port,
    ...(from && { localAddress: from }),
    ...(fromPort && { localPort: fromPort }),
  });
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
  });
  socket.on('end', () => resolve(heard));
  socket.on('error', () => resolve('nothing'));
  setTimeout(() => resolve('nothing'), answerTimeoutMs);
  const answer = await promise;
  socket.destroy();
  return answer;
}

async function callUdp(order: Extract<GuestOrder, { do: 'call' }>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = createSocket('udp4');
  socket.on('error', () => resolve('nothing'));
  socket.on('message', (message) => resolve(message.toString()));
  socket.bind(order.fromPort ?? 0, order.from, () => {
    socket.setBroadcast(true);
    socket.send('hello', order.port, order.address, (error) => {
      if (error) resolve('nothing');
    });
  });
  setTimeout(() => resolve('nothing'), answerTimeoutMs);
  const answer = await promise;
  socket.close();
  return answer;
}
