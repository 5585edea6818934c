import { randomBytes } from 'node:crypto';
import { createServer, request as forward } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { openHttp } from '../../../catalog/registry/http.ts';
import { readProxies } from '../../../catalog/registry/proxies.ts';
import { blobOf, calm, collect, openQuickly, sourceOf } from './openings.ts';
import { startSmallRegistry } from './small-registry.ts';

test('a registry beyond this machine is reached through the proxy, whose password only the proxy gets', async (t) => {
  const server = await startSmallRegistry(t);
  const seen: (string | undefined)[] = [];
  server.mischief = (request) => {
    seen.push(request.headers['proxy-authorization']);
    return false;
  };
  const proxy = await startProxy(t, server.host);
  const http = openHttp({ proxies: { http: `http://ann:secret@${proxy.host}` } });
  t.teardown(() => http.close());
  const bytes = randomBytes(100_000);
  const blob = blobOf(bytes);
  const repository = openQuickly(t, 'registry.test', { http, isPlain: true }).repository('acme/shop');

  await repository.put(blob, sourceOf(bytes), calm, () => undefined);
  const back = await collect(repository.open(blob, calm));

  t.true(back.equals(bytes));
  t.true(proxy.asked.length >= 4 && proxy.asked.every((each) => each.includes('registry.test')));
  t.deepEqual(new Set(proxy.passwords), new Set(['Basic YW5uOnNlY3JldA==']));
  t.deepEqual(new Set(seen), new Set([undefined]));
});

test('this machine and what NO_PROXY names are reached without the proxy', async (t) => {
  const server = await startSmallRegistry(t);
  const proxy = await startProxy(t, server.host);
  const http = openHttp({ proxies: { http: `http://${proxy.host}`, except: '.invalid' } });
  t.teardown(() => http.close());

  const here = await openQuickly(t, server.host, { http }).repository('acme/shop').tags(calm);
  const named = await t.throwsAsync(
    openQuickly(t, 'registry.invalid', { http, isPlain: true }).repository('acme/shop').tags(calm),
  );

  t.deepEqual(here, []);
  t.like(named, { code: 'REGISTRY_UNREACHABLE' });
  t.deepEqual(proxy.asked, []);
});

test('a proxy that is not there is REGISTRY_UNREACHABLE, and its password is not told', async (t) => {
  const http = openHttp({ proxies: { http: 'http://ann:secret@127.0.0.1:1', https: 'http://127.0.0.1:1' } });
  t.teardown(() => http.close());
  for (const isPlain of [true, false]) {
    const error = await t.throwsAsync(
      openQuickly(t, 'registry.test', { http, isPlain }).repository('acme/shop').tags(calm),
    );
    t.like(error, { code: 'REGISTRY_UNREACHABLE' });
    t.notRegex(JSON.stringify(error), /secret/);
  }
});

test('proxies are read as other programs read them', (t) => {
  t.deepEqual(readProxies({}), {});
  t.deepEqual(
    readProxies({ HTTP_PROXY: 'http://a:1', http_proxy: 'b:2', HTTPS_PROXY: '', no_proxy: 'c,.d' }),
    {
      http: 'http://b:2',
      except: 'c,.d',
    },
  );
  for (const wrong of ['socks5://ann:secret@a:1', 'http://ann:secret@a:b'])
    t.like(
      t.throws(() => readProxies({ HTTPS_PROXY: wrong })),
      { code: 'INPUT_REFUSED', message: 'the variable HTTPS_PROXY holds no address of a proxy' },
    );
});

/** A proxy that knows one host, by whatever name it is asked for; ended when the test ends. */
async function startProxy(t: ExecutionContext, target: string) {
  const [asked, passwords]: [string[], (string | undefined)[]] = [[], []];
  const server = createServer((request, response) => {
    const { 'proxy-authorization': password, 'proxy-connection': _, ...headers } = request.headers;
    const url = new URL(request.url ?? '/', 'http://nobody');
    asked.push(url.host);
    passwords.push(password);
    const options = { method: request.method ?? 'GET', headers };
    const onward = forward(`http://${target}${url.pathname}${url.search}`, options, (answer) => {
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
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { host: `127.0.0.1:${port}`, asked, passwords };
}
