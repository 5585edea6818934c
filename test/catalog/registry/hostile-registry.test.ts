import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import test from 'ava';
import { addressKind } from '../../../catalog/registry/address-kind.ts';
import { openHttp } from '../../../catalog/registry/http.ts';
import { blobOf, calm, collect, openQuickly } from './openings.ts';
import { type Mischief, startSmallRegistry } from './small-registry.ts';

const bytes = randomBytes(100_000);
const blob = blobOf(bytes);

const downloads: readonly (readonly [
  title: string,
  code: string,
  mischief: (response: ServerResponse) => void,
])[] = [
  ['other bytes of the same size', 'CONTENT_MISMATCH', (response) => response.end(randomBytes(bytes.length))],
  [
    'bytes without end',
    'ANSWER_TOO_LARGE',
    (response) => {
      const more = (): void =>
        void (response.destroyed || response.write(randomBytes(65_536), () => setImmediate(more)));
      more();
    },
  ],
  [
    'more bytes than its Content-Length says',
    'ANSWER_TOO_LARGE',
    (response) =>
      response
        .writeHead(200, { 'content-length': bytes.length + 1 })
        .end(Buffer.concat([bytes, bytes]).subarray(0, bytes.length + 1)),
  ],
  ['too few bytes, each time', 'REGISTRY_UNREACHABLE', (response) => response.end()],
  ['a blob that is not there', 'CONTENT_MISMATCH', (response) => response.writeHead(404).end()],
  [
    'a header of a megabyte',
    'REGISTRY_MALFORMED',
    (response) => response.writeHead(200, { 'x-long': 'x'.repeat(2 ** 20) }).end(),
  ],
  [
    'no HTTP at all',
    'REGISTRY_MALFORMED',
    (response) => void response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'),
  ],
  ['a status that means nothing here', 'REGISTRY_MALFORMED', (response) => response.writeHead(418).end()],
  ['a redirect to a file', 'REDIRECT_REFUSED', redirect('file:///etc/passwd')],
  ['a redirect to nowhere', 'REDIRECT_REFUSED', (response) => response.writeHead(307).end()],
  [
    'a redirect to where clouds keep secrets',
    'REDIRECT_REFUSED',
    redirect('http://169.254.169.254/latest/meta-data/'),
  ],
  ['a redirect into a private network', 'REDIRECT_REFUSED', redirect('http://10.0.0.1/')],
  ['a redirect with a password', 'REDIRECT_REFUSED', redirect('http://a:b@127.0.0.1:9/')],
];

for (const [title, code, mischief] of downloads)
  test(`a download that gets ${title} is ${code}`, async (t) => {
    const server = await startSmallRegistry(t);
    server.mischief = (_, response) => {
      mischief(response);
      return true;
    };

    const error = await t.throwsAsync(
      collect(openQuickly(t, server.host).repository('a/b').open(blob, calm)),
    );

    t.like(error, { code });
  });

test('a redirect that turns in circles is refused', async (t) => {
  const server = await startSmallRegistry(t);
  server.mischief = (request, response) => {
    redirect(request.url ?? '/')(response);
    return true;
  };

  const error = await t.throwsAsync(collect(openQuickly(t, server.host).repository('a/b').open(blob, calm)));

  t.like(error, { code: 'REDIRECT_REFUSED' });
});

test('a redirect of an upload is refused', async (t) => {
  const server = await startSmallRegistry(t);
  server.mischief = (request, response) => {
    if (request.method !== 'POST') return false;
    redirect('http://127.0.0.1:9/')(response);
    return true;
  };
  const repository = openQuickly(t, server.host).repository('a/b');

  const error = await t.throwsAsync(
    repository.put(blob, { open: () => t.fail() as never }, calm, () => undefined),
  );

  t.like(error, { code: 'REDIRECT_REFUSED' });
});

test('an upload is not sent to another registry', async (t) => {
  const server = await startSmallRegistry(t);
  server.mischief = (request, response) => {
    if (request.method !== 'POST') return false;
    response.writeHead(202, { location: 'http://127.0.0.1:9/v2/a/b/blobs/uploads/1' }).end();
    return true;
  };
  const repository = openQuickly(t, server.host).repository('a/b');

  const error = await t.throwsAsync(
    repository.put(blob, { open: () => t.fail() as never }, calm, () => undefined),
  );

  t.like(error, { code: 'REDIRECT_REFUSED' });
});

test('a redirect to another host is followed without what proves who asks', async (t) => {
  const storage = await startSmallRegistry(t);
  storage.blobs.set(blob.digest, bytes);
  const server = await startSmallRegistry(t);
  const seen: (string | undefined)[] = [];
  storage.mischief = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  server.mischief = requireBasic((request, response) => {
    seen.push(request.headers.authorization);
    redirect(`http://${storage.host}${request.url}`)(response);
    return true;
  });
  const findCredential = async () => ({ kind: 'password', user: 'ann', password: 'secret' }) as const;

  const back = await collect(
    openQuickly(t, server.host, { findCredential }).repository('a/b').open(blob, calm),
  );

  t.true(back.equals(bytes));
  t.deepEqual(seen, ['Basic YW5uOnNlY3JldA==', undefined]);
});

const manifests: readonly (readonly [
  title: string,
  code: string,
  mischief: (response: ServerResponse) => void,
])[] = [
  ['another manifest than the digest asked for', 'CONTENT_MISMATCH', (response) => response.end('{}')],
  ['a manifest without end', 'ANSWER_TOO_LARGE', (response) => response.end(Buffer.alloc(5 * 2 ** 20))],
];

for (const [title, code, mischief] of manifests)
  test(`${title} is ${code}`, async (t) => {
    const server = await startSmallRegistry(t);
    server.mischief = (_, response) => {
      mischief(response);
      return true;
    };

    const error = await t.throwsAsync(
      openQuickly(t, server.host).repository('a/b').manifest(blob.digest, calm),
    );

    t.like(error, { code });
  });

test('a list of tags that is no list, or names the same page for ever, ends', async (t) => {
  const server = await startSmallRegistry(t);
  const repository = openQuickly(t, server.host).repository('a/b');
  const answers = ['[1]', 'no json', '{"tags":["1.0.0"]}'];
  server.mischief = (_, response) => {
    response.writeHead(200, { link: '</v2/a/b/tags/list?n=1000>; rel="next"' }).end(answers[0]);
    return true;
  };

  const notObject = await t.throwsAsync(repository.tags(calm));
  answers.shift();
  const notJson = await t.throwsAsync(repository.tags(calm));
  answers.shift();

  t.like(notObject, { code: 'REGISTRY_MALFORMED' });
  t.like(notJson, { code: 'REGISTRY_MALFORMED' });
  t.deepEqual(await repository.tags(calm), ['1.0.0']);
});

test('a registry that falls silent is given up', async (t) => {
  const server = await startSmallRegistry(t);
  server.mischief = () => true;

  const error = await t.throwsAsync(
    openQuickly(t, server.host, { silenceMs: 100 }).repository('a/b').tags(calm),
  );

  t.like(error, { code: 'REGISTRY_UNREACHABLE' });
});

test('a name that leads to an internal address is not connected to, whatever it is called', async (t) => {
  const http = openHttp();
  t.teardown(() => http.close());
  const url = new URL('http://localhost:1/');
  const request = { method: 'GET', url, headers: {}, signal: calm } as const;

  const error = await t.throwsAsync(http.send({ ...request, reach: new Set(['public'] as const) }));

  t.is(error?.name, 'OutOfReachError');
});

test('addresses are known for whose they are', (t) => {
  const samples = {
    '127.0.0.1': 'loopback',
    '::1': 'loopback',
    '::ffff:127.0.0.1': 'loopback',
    '169.254.169.254': 'link',
    '0.0.0.0': 'link',
    '::': 'link',
    'fe80::1': 'link',
    '10.1.2.3': 'private',
    '172.31.0.1': 'private',
    '::ffff:10.0.0.1': 'private',
    'fd12::1': 'private',
    '172.32.0.1': 'public',
    '93.184.216.34': 'public',
    '2606:2800:220:1::1': 'public',
    nonsense: 'link',
  };

  t.deepEqual(
    Object.fromEntries(Object.keys(samples).map((address) => [address, addressKind(address)])),
    samples,
  );
});

function redirect(location: string): (response: ServerResponse) => void {
  return (response) => void response.writeHead(307, { location }).end();
}

function requireBasic(next: Mischief): Mischief {
  return (request: IncomingMessage, response, path) => {
    if (request.headers.authorization !== undefined) return next(request, response, path);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="tests"' }).end();
    return true;
  };
}
