import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { delimiter, dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseChallenge } from '../../../catalog/registry/challenge.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { calm, credentialsOf, openQuickly } from './openings.ts';
import { startSmallRegistry } from './small-registry.ts';

const host = 'registry.example.com';
const password = { kind: 'password', user: 'ann', password: 'se:cret' } as const;
const auth = Buffer.from('ann:se:cret').toString('base64');

test("a password is found where docker login leaves it, under each way of writing the registry's name", async (t) => {
  for (const key of [host, `https://${host}`, `https://${host}/`]) {
    const folder = temporaryFolder(t, { 'config.json': JSON.stringify({ auths: { [key]: { auth } } }) });

    t.deepEqual(await credentialsOf(folder)(host, calm), password, key);
  }
});

test('without a file, or without a word about the registry, nobody asks', async (t) => {
  const folder = temporaryFolder(t, {
    'config.json': JSON.stringify({ auths: { 'other.example': { auth } } }),
  });

  t.is(await credentialsOf(folder)(host, calm), undefined);
  t.is(await credentialsOf(join(folder, 'absent'))(host, calm), undefined);
});

test('a token left by a log-in is taken before the password', async (t) => {
  const entry = { auth, identitytoken: 'refresh' };
  const folder = temporaryFolder(t, { 'config.json': JSON.stringify({ auths: { [host]: entry } }) });

  t.deepEqual(await credentialsOf(folder)(host, calm), { kind: 'token', token: 'refresh' });
});

test('a helper is asked for its registry, and the store for all others', async (t) => {
  const asked = { Username: 'ann', Secret: 'se:cret' };
  const folder = temporaryFolder(t, {
    'config.json': JSON.stringify({ credHelpers: { [host]: 'one' }, credsStore: 'all' }),
  });
  const path = helpers(t, {
    one: `[ "$1 $(cat)" = "get ${host}" ] && echo '${JSON.stringify(asked)}'`,
    all: 'echo "credentials not found in native keychain"; exit 1',
  });

  t.deepEqual(await credentialsOf(folder, path)(host, calm), password);
  t.is(await credentialsOf(folder, path)('other.example', calm), undefined);
});

const broken: Readonly<Record<string, readonly [config: string, helper: string]>> = {
  'a file that is no JSON': ['{"auths": {"x": {"auth": "c2VjcmV0"', ''],
  'a password that is none': [JSON.stringify({ auths: { [host]: { auth: 'c2VjcmV0' } } }), ''],
  'a helper that is not there': [JSON.stringify({ credsStore: 'absent' }), ''],
  'a helper whose name is a path': [JSON.stringify({ credsStore: '../../bin/sh' }), ''],
  'a helper that fails': [JSON.stringify({ credsStore: 'one' }), 'echo secret; exit 3'],
  'a helper that writes nonsense': [JSON.stringify({ credsStore: 'one' }), 'echo secret'],
  'a helper that never stops writing': [JSON.stringify({ credsStore: 'one' }), 'yes secret'],
};

for (const [title, [config, script]] of Object.entries(broken))
  test(`${title} is CREDENTIALS_UNREADABLE, and no secret is told`, async (t) => {
    const folder = temporaryFolder(t, { 'config.json': config });
    const path = helpers(t, { one: script });

    const error = await t.throwsAsync(credentialsOf(folder, path)(host, calm));

    t.like(error, { code: 'CREDENTIALS_UNREADABLE' });
    t.notRegex(JSON.stringify([error, error?.message, error?.cause]), /secret|c2VjcmV0/);
  });

test('a password that a registry does not take is REGISTRY_REFUSED and sent once', async (t) => {
  const server = await startSmallRegistry(t);
  const seen: (string | undefined)[] = [];
  server.mischief = (request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="tests"' }).end();
    return true;
  };
  const registry = openQuickly(t, server.host, { findCredential: async () => password });

  const error = await t.throwsAsync(registry.repository('a/b').tags(calm));

  t.like(error, { code: 'REGISTRY_REFUSED' });
  t.deepEqual(seen, [undefined, `Basic ${auth}`]);
});

test('a token is fetched for what a call needs, kept, and fetched anew when it ends', async (t) => {
  const asked: string[] = [];
  const tokens = await startTokenServer(t, (url, authorization) => {
    asked.push(`${url.searchParams.getAll('scope').join(' ')} ${authorization === `Basic ${auth}`}`);
    return { token: `t${asked.length}`, expires_in: 60 };
  });
  const server = await startSmallRegistry(t);
  const seen: (string | undefined)[] = [];
  server.mischief = (request, response) => {
    seen.push(request.headers.authorization);
    if (request.headers.authorization !== undefined) return false;
    const challenge = `Bearer realm="http://${tokens}/token",service="tests",scope="registry:catalog:*"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
    return true;
  };
  let now = 0;
  const patience = { now: () => now, random: () => 0, attempts: 1, pause: async () => undefined };
  const repository = openQuickly(t, server.host, {
    findCredential: async () => password,
    patience,
  }).repository('a/b');

  await repository.tags(calm);
  await repository.tags(calm);
  now = 60_000;
  await repository.tags(calm);

  t.deepEqual(asked, ['repository:a/b:pull true', 'repository:a/b:pull true']);
  t.deepEqual(seen, [undefined, 'Bearer t1', 'Bearer t1', 'Bearer t2']);
});

test('nobody in particular gets a token too', async (t) => {
  const tokens = await startTokenServer(t, (_, authorization) => ({
    access_token: authorization ?? 'anonymous',
  }));
  const server = await startSmallRegistry(t);
  server.mischief = (request, response) => {
    if (request.headers.authorization === 'Bearer anonymous') return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens}/token"` }).end();
    return true;
  };

  t.deepEqual(await openQuickly(t, server.host).repository('a/b').tags(calm), []);
});

const tokenServers: readonly (readonly [title: string, code: string, realm: string | object | number])[] = [
  ['stands where clouds keep secrets', 'REDIRECT_REFUSED', 'http://169.254.169.254/token'],
  ['is a file', 'REDIRECT_REFUSED', 'file:///etc/shadow'],
  ['refuses', 'REGISTRY_REFUSED', 403],
  ['fails', 'REGISTRY_UNREACHABLE', 500],
  ['gives no token', 'REGISTRY_MALFORMED', {}],
  ['gives a token with a line break', 'REGISTRY_MALFORMED', { token: 'a\r\nx-evil: 1' }],
];

for (const [title, code, realm] of tokenServers)
  test(`a token server that ${title} is ${code}`, async (t) => {
    const tokens = typeof realm === 'string' ? '' : await startTokenServer(t, () => realm);
    const server = await startSmallRegistry(t);
    server.mischief = (_, response) => {
      const place = typeof realm === 'string' ? realm : `http://${tokens}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${place}"` }).end();
      return true;
    };
    const registry = openQuickly(t, server.host, { findCredential: async () => password });

    const error = await t.throwsAsync(registry.repository('a/b').tags(calm));

    t.like(error, { code });
    t.notRegex(`${error?.message}${JSON.stringify(error)}`, /se:cret/);
  });

test('challenges that no registry would send are none', (t) => {
  for (const header of [
    undefined,
    '',
    'Negotiate',
    'Bearer service="x"',
    'Bearer realm="no url"',
    `Bearer ${'x'.repeat(9000)}`,
  ])
    t.is(parseChallenge(header), undefined);
});

/** Writes credential helpers, by name. @returns a search path */
function helpers(t: ExecutionContext, scripts: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t);
  for (const [name, script] of Object.entries(scripts)) {
    const file = join(folder, `docker-credential-${name}`);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
  return [folder, dirname('/usr/bin/env'), '/bin'].join(delimiter);
}

async function startTokenServer(
  t: ExecutionContext,
  answer: (url: URL, authorization: string | undefined) => object | number,
): Promise<string> {
  const server = createServer((request, response) => {
    const given = answer(new URL(request.url ?? '/', 'http://tokens'), request.headers.authorization);
    response.writeHead(typeof given === 'number' ? given : 200).end(JSON.stringify(given));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}
