import { randomBytes } from 'node:crypto';
import test from 'ava';
import { storedManifest } from '../../../catalog/registry/registry.ts';
import { blobOf, calm, collect, openQuickly, rememberUploads, sourceOf } from './openings.ts';
import { startSmallRegistry } from './small-registry.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

test('a blob goes up in parts and comes down the same; one that is there is not sent again', async (t) => {
  const server = await startSmallRegistry(t);
  const repository = openQuickly(t, server.host).repository('acme/shop');
  const bytes = randomBytes(20 * 2 ** 20);
  const blob = blobOf(bytes);
  let sent = 0;
  const count = (size: number): void => {
    sent += size;
  };

  const first = await repository.put(blob, sourceOf(bytes), calm, count);
  const second = await repository.put(blob, sourceOf(bytes), calm, count);
  const back = await collect(repository.open(blob, calm));

  t.deepEqual([first, second, sent], ['sent', 'present', bytes.length]);
  t.is(server.requests.filter((request) => request.startsWith('PATCH')).length, 2);
  t.true(back.equals(bytes));
});

test('an empty blob goes up and comes down', async (t) => {
  const server = await startSmallRegistry(t);
  const repository = openQuickly(t, server.host).repository('acme/shop');
  const blob = blobOf(new Uint8Array());

  await repository.put(blob, sourceOf(new Uint8Array()), calm, () => undefined);

  t.is((await collect(repository.open(blob, calm))).length, 0);
});

test('a blob that another repository of the registry has costs no bytes', async (t) => {
  const server = await startSmallRegistry(t);
  const bytes = randomBytes(1000);
  const hidden = blobOf(bytes);
  const registry = openQuickly(t, server.host);
  await registry.repository('acme/base').put(hidden, sourceOf(bytes), calm, () => undefined);
  server.mischief = (request, response) => {
    if (request.method !== 'HEAD') return false;
    response.writeHead(404).end(); // repositories of a real registry do not see each other's blobs
    return true;
  };

  const how = await registry
    .repository('acme/shop', () => ['acme/base'])
    .put(hidden, sourceOf(bytes), calm, () => t.fail());

  t.is(how, 'mounted');
});

test('a manifest goes up under a tag and is found by tag and digest; what is absent is undefined', async (t) => {
  const server = await startSmallRegistry(t);
  const repository = openQuickly(t, server.host).repository('acme/shop');
  const manifest = storedManifest(Buffer.from('{"schemaVersion":2}'), manifestType);

  await repository.putManifest(manifest, '1.0.0', calm);

  t.deepEqual((await repository.manifest('1.0.0', calm))?.descriptor, manifest.descriptor);
  t.deepEqual((await repository.manifest(manifest.descriptor.digest, calm))?.descriptor, manifest.descriptor);
  t.is(await repository.manifest('2.0.0', calm), undefined);
  t.deepEqual(await repository.tags(calm), ['1.0.0']);
  t.deepEqual(await openQuickly(t, server.host).repository('acme/none').tags(calm), []);
});

test('a download that breaks goes on from where it broke', async (t) => {
  const server = await startSmallRegistry(t);
  const bytes = randomBytes(3 * 2 ** 20);
  const blob = blobOf(bytes);
  server.blobs.set(blob.digest, bytes);
  const ranges: (string | undefined)[] = [];
  server.mischief = (request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 2) return false;
    const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
    const headers = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(from > 0 ? 206 : 200, { ...headers, 'content-length': bytes.length - from });
    response.write(bytes.subarray(from, from + 2 ** 20), () => setImmediate(() => response.destroy()));
    return true;
  };

  const back = await collect(openQuickly(t, server.host).repository('acme/shop').open(blob, calm));

  t.true(back.equals(bytes));
  t.is(ranges.length, 3);
  t.is(ranges[0], undefined);
  t.regex(ranges[1] ?? '', /^bytes=[1-9]\d*-$/);
});

test('a registry without ranges is read from the begin again, and nothing is given twice', async (t) => {
  const server = await startSmallRegistry(t);
  const bytes = randomBytes(2 ** 20);
  const blob = blobOf(bytes);
  server.mischief = (request, response) => {
    response.writeHead(200, { 'content-length': bytes.length });
    if (request.headers.range === undefined)
      response.write(bytes.subarray(0, 300_000), () => setImmediate(() => response.destroy()));
    else response.end(bytes);
    return true;
  };

  const back = await collect(openQuickly(t, server.host).repository('acme/shop').open(blob, calm));

  t.true(back.equals(bytes));
});

test('an upload that breaks asks the registry how far it got', async (t) => {
  const server = await startSmallRegistry(t);
  const bytes = randomBytes(20 * 2 ** 20);
  let parts = 0;
  server.mischief = (request, response) => {
    if (request.method !== 'PATCH' || ++parts !== 2) return false;
    response.destroy();
    return true;
  };
  const repository = openQuickly(t, server.host).repository('acme/shop');

  const how = await repository.put(blobOf(bytes), sourceOf(bytes), calm, () => undefined);

  t.is(how, 'sent');
  t.is(server.received, bytes.length);
  t.true(server.requests.some((request) => /^GET .*\/uploads\//.test(request)));
});

test('an upload that a killed process began is taken up by the next one', async (t) => {
  const server = await startSmallRegistry(t);
  const bytes = randomBytes(20 * 2 ** 20);
  const uploads = rememberUploads();
  let isBroken = false;
  server.mischief = (request, response) => {
    isBroken ||= request.method === 'PATCH' && server.received > 0;
    if (isBroken) response.destroy();
    return isBroken;
  };
  const send = () =>
    openQuickly(t, server.host, { uploads })
      .repository('a/b')
      .put(blobOf(bytes), sourceOf(bytes), calm, () => undefined);

  const error = await t.throwsAsync(send());
  server.mischief = undefined;
  await send();

  t.like(error, { code: 'REGISTRY_UNREACHABLE' });
  t.is(server.received, bytes.length);
});

test('a registry that is busy is asked again, later and later, and not before it says', async (t) => {
  const server = await startSmallRegistry(t);
  const pauses: number[] = [];
  let asked = 0;
  server.mischief = (_, response) => {
    asked += 1;
    if (asked > 3) return false;
    response.writeHead(asked === 2 ? 429 : 503, asked === 2 ? { 'retry-after': '7' } : {}).end();
    return true;
  };

  await openQuickly(t, server.host, { pauses }).repository('a/b').tags(calm);

  t.deepEqual(pauses, [125, 7000, 500]);
});

test('a registry that asks for an hour is not waited for', async (t) => {
  const server = await startSmallRegistry(t);
  server.mischief = (_, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end();
    return true;
  };

  const error = await t.throwsAsync(openQuickly(t, server.host).repository('a/b').tags(calm));

  t.like(error, { code: 'REGISTRY_UNREACHABLE' });
  t.is(server.requests.length, 1);
});

test('who wants to stop waits for nothing', async (t) => {
  const server = await startSmallRegistry(t);
  const stop = new AbortController();
  server.mischief = () => {
    stop.abort();
    return true; // and no answer ever comes
  };

  const error = await t.throwsAsync(openQuickly(t, server.host).repository('a/b').tags(stop.signal));

  t.like(error, { code: 'OPERATION_INTERRUPTED' });
});

test('nobody at the other end is REGISTRY_UNREACHABLE', async (t) => {
  const error = await t.throwsAsync(openQuickly(t, '127.0.0.1:1').repository('a/b').tags(calm));

  t.like(error, { code: 'REGISTRY_UNREACHABLE', details: { host: '127.0.0.1:1' } });
});
