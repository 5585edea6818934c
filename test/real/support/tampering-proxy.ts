import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ExecutionContext } from 'ava';

/** Does something else than pass a request on. @returns true when the request was seen to */
export type Tampering = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A proxy before a registry that may change what it says; ended when the test ends. */
export type TamperingProxy = {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  tampering: Tampering | undefined;
};

/** Starts a proxy on a free port of the loopback. @param target - `127.0.0.1:PORT` of the registry */
export async function startTamperingProxy(t: ExecutionContext, target: string): Promise<TamperingProxy> {
  const proxy = { host: '', tampering: undefined as Tampering | undefined };
  const server = createServer((request, response) => {
    if (proxy.tampering?.(request, response)) return;
    const url = new URL(request.url ?? '/', `http://${target}`);
    const onward = forward(url, { method: request.method ?? 'GET', headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  proxy.host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return proxy;
}
