import { request } from 'node:http';
import { connect } from 'node:net';
import type { Page } from './box-network.ts';

const { url, from, throughDoor, form, headers } = JSON.parse(process.argv[2] ?? '') as {
  readonly url: string;
  readonly from?: string;
  readonly throughDoor?: boolean;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
};

process.stdout.write(JSON.stringify(await fetchIt()));
process.exit(0);

async function fetchIt(): Promise<Page> {
  const { promise, resolve } = Promise.withResolvers<Page>();
  const body = form && new URLSearchParams(form).toString();
  const asking = request(
    url,
    {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      timeout: 3000,
      ...(from !== undefined && { localAddress: from }),
      ...(throughDoor && { createConnection: () => connectAsDoor(new URL(url), from ?? '127.0.0.1') }),
    },
    (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
          ),
          body: text,
        }),
      );
    },
  );
  asking.on('timeout', () => asking.destroy());
  asking.on('error', () => resolve({ status: 0, headers: {}, body: '' }));
  asking.end(body);
  return await promise;
}

/** Connects as an endpoint does whose terminal says `proxyProtocol`. */
function connectAsDoor({ hostname, port }: URL, localAddress: string) {
  const socket = connect({ host: hostname, port: Number(port || 80), localAddress });
  socket.write(`PROXY TCP4 ${localAddress} ${hostname} 40000 ${port || 80}\r\n`);
  return socket;
}
