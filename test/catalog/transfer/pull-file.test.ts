import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { packFile } from '../../../catalog/format/pack-bundle.ts';
import { openRegistryShelf } from '../../../catalog/shelves/registry-shelf.ts';
import { publish } from '../../../catalog/transfer/publish.ts';
import { findPublished } from '../../../catalog/transfer/pull.ts';
import { pullFile } from '../../../catalog/transfer/pull-file.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { openSample } from '../open-catalogs.ts';
import { openQuickly } from '../registry/openings.ts';
import { startSmallRegistry } from '../registry/small-registry.ts';
import { quiet, type SampleBundle, sampleBundle } from '../sample-bundle.ts';

test('a pulled file is byte by byte the one that was packed, and is not fetched twice', async (t) => {
  const { folder, sample, pull, fetched } = await openTrade(t);
  await pack(sample, join(folder, 'packed'));

  const first = await pull('sample.sheaf');
  const requests = fetched();
  const second = await pull('sample.sheaf');

  t.true(readFileSync(join(folder, 'sample.sheaf')).equals(readFileSync(join(folder, 'packed'))));
  t.is(first.skippedBytes, 0);
  t.deepEqual([first.digest, first.bytes], [second.digest, second.bytes]);
  t.is(second.sentBytes, 0);
  t.is(second.skippedBytes, first.sentBytes);
  t.is(requests.length, new Set(requests).size);
  t.deepEqual(readdirSync(folder).sort(), ['blobs', 'packed', 'sample.sheaf']);
});

test('what the store or a bundle in the same folder holds is not fetched, unless its bytes are wrong', async (t) => {
  const { folder, sample, blobs, pull } = await openTrade(t);
  const [layer, other] = sample.list.images['web@1.0.0']?.layers ?? [];
  await blobs.write(sample.bytes.get(layer?.digest ?? 'sha256:') ?? '');
  await pack(sampleBundle({ version: '0.9.0' }), join(folder, 'older.sheaf'));
  const older = readFileSync(join(folder, 'older.sheaf'));
  const wrong = sample.bytes.get(other?.digest ?? 'sha256:') ?? Buffer.alloc(0);
  older.fill('x', older.indexOf(wrong), older.indexOf(wrong) + wrong.length);
  writeFileSync(join(folder, 'older.sheaf'), older);

  const pulled = await pull('sample.sheaf');

  const { 'application.yaml': description } = sample.list.files;
  t.is(pulled.sentBytes, (description?.size ?? 0) + wrong.length);
  await pack(sample, join(folder, 'packed'));
  t.true(readFileSync(join(folder, 'sample.sheaf')).equals(readFileSync(join(folder, 'packed'))));
});

test('a pull that breaks leaves nothing under the name, and the next one fetches only the rest', async (t) => {
  const { folder, sample, server, pull, fetched } = await openTrade(t, { tar: randomBytes(100_000) });
  const last = sample.list.images['web@1.0.0']?.layers[1]?.digest ?? '';
  server.mischief = (request, response, path) => {
    if (request.method !== 'GET' || !path.endsWith(last)) return false;
    response.destroy();
    return true;
  };

  const broken = await t.throwsAsync(pull('sample.sheaf'));
  const between = readdirSync(folder);
  server.mischief = undefined;
  server.requests.length = 0;
  const pulled = await pull('sample.sheaf');

  t.like(broken, { code: 'REGISTRY_UNREACHABLE' });
  t.false(between.includes('sample.sheaf'));
  t.deepEqual(new Set(fetched().filter((path) => path.endsWith(last))).size, 1);
  t.is(pulled.sentParts, 1);
  t.deepEqual(readdirSync(folder).sort(), ['blobs', 'sample.sheaf']);
  await pack(sample, join(folder, 'packed'));
  t.true(readFileSync(join(folder, 'sample.sheaf')).equals(readFileSync(join(folder, 'packed'))));
});

test('a draft of a process that is no more is believed in nothing', async (t) => {
  const { folder, sample, pull } = await openTrade(t);
  const left = join(folder, '.sample.sheaf.drafts/4000000-1-x');
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, `${sample.contents.root.digest.slice(7)}-old`), randomBytes(30_000));
  writeFileSync(join(left, 'another'), 'x');

  await pull('sample.sheaf');

  t.deepEqual(readdirSync(folder).sort(), ['blobs', 'sample.sheaf']);
  await pack(sample, join(folder, 'packed'));
  t.true(readFileSync(join(folder, 'sample.sheaf')).equals(readFileSync(join(folder, 'packed'))));
});

test('wrong bytes are refused, and nothing of them stays', async (t) => {
  const { folder, sample, server, pull } = await openTrade(t);
  const last = sample.list.images['web@1.0.0']?.layers[1]?.digest ?? '';
  const right = server.blobs.get(last);
  server.blobs.set(last, Buffer.alloc(right?.length ?? 0, 'x'));

  const refused = await t.throwsAsync(pull('sample.sheaf'));

  t.like(refused, { code: 'CONTENT_MISMATCH' });
  t.deepEqual(readdirSync(folder), ['blobs']);
});

test('several pulls of the same at once all succeed, and leave one file', async (t) => {
  const { folder, sample, pull } = await openTrade(t);

  await Promise.all(Array.from({ length: 5 }, () => pull('sample.sheaf')));

  await pack(sample, join(folder, 'packed'));
  t.true(readFileSync(join(folder, 'sample.sheaf')).equals(readFileSync(join(folder, 'packed'))));
  t.deepEqual(readdirSync(folder).sort(), ['blobs', 'packed', 'sample.sheaf']);
});

test('a folder that does not exist is SOURCE_MISSING, and is not made', async (t) => {
  const { folder, pull } = await openTrade(t);

  t.like(await t.throwsAsync(pull('absent/sample.sheaf')), { code: 'SOURCE_MISSING' });
  t.false(existsSync(join(folder, 'absent')));
});

/** Publishes a sample to a registry, and gives what pulls it into a folder. */
async function openTrade(t: ExecutionContext, changes: Parameters<typeof sampleBundle>[0] = {}) {
  const folder = temporaryFolder(t);
  const server = await startSmallRegistry(t);
  const shelf = () => openRegistryShelf(openQuickly(t, server.host), 'acme');
  const sample = sampleBundle(changes);
  await publish(openSample(t, shelf()), { bundle: sample, channels: [] });
  server.requests.length = 0;
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'blobs/unfinished') });
  t.teardown(() => rmSync(join(folder, 'blobs'), { recursive: true, force: true }));
  const pull = async (name: string) => {
    const found = await findPublished([openSample(t, shelf())], { name: 'sample', range: '*' });
    return await pullFile(found, { file: join(folder, name), blobs });
  };
  const parts = new Set(sample.contents.manifest.layers.map(({ digest }) => digest));
  const fetched = () => server.requests.filter((each) => [...parts].some((digest) => each.endsWith(digest)));
  return { folder, server, sample, blobs, pull, fetched };
}

async function pack({ contents, source }: SampleBundle, file: string): Promise<void> {
  await packFile({ contents, source, file }, quiet);
}
