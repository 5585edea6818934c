import { readdirSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import {
  type BundleFile,
  bulkOf,
  checkParts,
  contentsOf,
  inspect,
  isBundle,
  layersOf,
  mediaTypes,
  openBundle,
  openPackedBundle,
  packFile,
  readSbom,
  signaturesOf,
} from '../../../catalog/index.ts';
import { digestOf } from '../../../engine/digest.ts';
import { EngineError } from '../../../engine/errors.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { violations } from '../../cli/schemas.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { rawTar, readRawTar } from '../raw-tar.ts';
import { quiet, sampleBundle } from '../sample-bundle.ts';

test('what was packed is opened, part by part and byte by byte', async (t) => {
  const { contents, source, bytes, list } = sampleBundle();
  const file = join(temporaryFolder(t), 'sample.sheaf');

  const packed = await packFile({ contents, source, file }, quiet);
  const bundle = await opened(t, file);

  t.deepEqual(packed, {
    digest: contents.manifest.config.digest,
    manifest: contents.root.digest,
    file,
    bytes: (await readFile(file)).length,
  });
  t.deepEqual(bundle.contents, contents);
  for (const part of layersOf(list)) t.deepEqual(await buffer(bundle.open(part)), bytes.get(part.digest));
  t.is(
    await checkParts(bundle, quiet.signal),
    [...bytes.values()].reduce((sum, { length }) => sum + length, 0),
  );
});

test('equal contents give equal bytes, whatever the order in which they were put together', async (t) => {
  const folder = temporaryFolder(t);
  const reversed = sampleBundle({
    change: (list) => ({ ...list, files: Object.fromEntries(Object.entries(list.files).toReversed()) }),
  });

  await packFile({ ...sampleBundle(), file: join(folder, 'a.sheaf') }, quiet);
  await packFile({ ...reversed, file: join(folder, 'b.sheaf') }, quiet);

  t.true((await readFile(join(folder, 'a.sheaf'))).equals(await readFile(join(folder, 'b.sheaf'))));
});

test('packing again leaves a bundle alone that is whole, and writes one anew that is damaged', async (t) => {
  const { contents, source } = sampleBundle();
  const file = join(temporaryFolder(t), 'sample.sheaf');
  const first = await packFile({ contents, source, file }, quiet);
  const whole = await readFile(file);
  const { ino } = await stat(file);

  const second = await packFile({ contents, source, file }, quiet);
  const untouched = await stat(file);
  const damaged = Buffer.from(whole);
  damaged[whole.length - 1536] = (damaged[whole.length - 1536] ?? 0) ^ 1;
  await writeFile(file, damaged);
  await packFile({ contents, source, file }, quiet);

  t.deepEqual(second, first);
  t.is(untouched.ino, ino);
  t.true((await readFile(file)).equals(whole));
});

test('a delta with its base gives the very bytes of the thick bundle', async (t) => {
  const folder = temporaryFolder(t);
  const path = (name: string) => join(folder, `${name}.sheaf`);
  await packFile({ ...sampleBundle(), file: path('base') }, quiet);
  const next = sampleBundle({ version: '1.1.0' });
  await packFile({ ...next, file: path('thick') }, quiet);

  const delta = await packFile({ ...next, file: path('delta'), deltaFrom: path('base') }, quiet);
  const [added, base] = [await opened(t, path('delta')), await opened(t, path('base'))];
  const open = (part: Parameters<BundleFile['open']>[0]) => (added.has(part) ? added : base).open(part);
  await packFile({ contents: added.contents, source: { open }, file: path('again') }, quiet);

  t.is(added.note.base, base.contents.manifest.config.digest);
  t.true(delta.bytes < (await readFile(path('thick'))).length / 2);
  t.true((await readFile(path('again'))).equals(await readFile(path('thick'))));
});

test('a thin or delta bundle runs where the rest is stored, and says what is lacking elsewhere', async (t) => {
  const folder = temporaryFolder(t);
  const path = (name: string) => join(folder, `${name}.sheaf`);
  const sample = sampleBundle();
  await packFile({ ...sample, file: path('thick') }, quiet);
  await packFile({ ...sample, file: path('thin'), thin: true }, quiet);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'drafts') });
  const store = async (name: string) => {
    const source = await openPackedBundle(path(name), async () => ({
      state: 'unsigned',
      keys: [],
      reason: '',
    }));
    await source.storeParts(blobs, quiet).finally(() => source.close());
  };

  const error = await t.throwsAsync<EngineError>(store('thin'), {
    instanceOf: EngineError,
    code: 'BUNDLE_INCOMPLETE',
  });
  const kept = readdirSync(join(folder, 'blobs/sha256'));
  await store('thick');
  await store('thin');

  t.deepEqual(
    new Set(error.details['missing'] as readonly string[]),
    new Set(bulkOf(sample.list).map(({ digest }) => digest)),
  );
  t.deepEqual(kept, []);
  for (const part of layersOf(sample.list)) t.true(await blobs.has(part.digest));
});

test('an archive that another tool made of the same layout is the same bundle', async (t) => {
  const { contents, source } = sampleBundle();
  const folder = temporaryFolder(t);
  const [ours, theirs] = [join(folder, 'a.sheaf'), join(folder, 'b.tar')];
  await packFile({ contents, source, file: ours }, quiet);
  const entries = readRawTar(await readFile(ours));
  const index = { schemaVersion: 2, manifests: [contents.root] };
  const others = entries
    .map((entry) =>
      entry.path === 'index.json' ? { ...entry, content: Buffer.from(JSON.stringify(index)) } : entry,
    )
    .map((entry) => ({ ...entry, path: `./${entry.path}` }))
    .toReversed();
  await writeFile(theirs, rawTar([{ path: './', type: '5' }, { path: './blobs/', type: '5' }, ...others]));

  const bundle = await opened(t, theirs);

  t.true(await isBundle(theirs));
  t.deepEqual([bundle.contents, bundle.note], [contents, { form: 'thick' }]);
});

test('a signature changes the manifest and not the identity', async (t) => {
  const { list, source, contents } = sampleBundle();
  const envelope = Buffer.from('{}');
  const signature = { mediaType: mediaTypes.signature, digest: digestOf(envelope), size: envelope.length };
  const signed = contentsOf(list, [signature]);
  const file = join(temporaryFolder(t), 'signed.sheaf');
  const open: typeof source.open = (part) => (part === signature ? single(envelope) : source.open(part));
  await packFile({ contents: signed, source: { open }, file }, quiet);

  const bundle = await opened(t, file);

  t.not(signed.root.digest, contents.root.digest);
  t.is(bundle.contents.manifest.config.digest, contents.manifest.config.digest);
  t.deepEqual(signaturesOf(bundle.contents.manifest), [signature]);
  t.deepEqual(Buffer.from(await bundle.read(signature)), envelope);
});

test('inspect describes a bundle as its schema says', async (t) => {
  const { contents, source } = sampleBundle();
  const file = join(temporaryFolder(t), 'sample.sheaf');
  await packFile({ contents, source, file, thin: true }, quiet);

  const inspection = inspect(await opened(t, file), ['qemu-system-x86']);

  t.deepEqual(violations('inspect', JSON.parse(JSON.stringify(inspection))), []);
  t.like(inspection, { name: 'sample', form: 'thin', prerequisites: ['qemu-system-x86'] });
  t.true(inspection.bytes > 0 && inspection.totalBytes > 0);
});

test('what an image is made of stands in its bundle, also in a thin one', async (t) => {
  const folder = temporaryFolder(t);
  const [file, old] = [join(folder, 'new.sheaf'), join(folder, 'old.sheaf')];
  const before = sampleBundle({
    change: (list) => ({
      ...list,
      images: Object.fromEntries(
        Object.entries(list.images).map(([key, { sbom, ...image }]) => [key, image]),
      ),
    }),
  });
  await packFile({ ...sampleBundle(), file, thin: true }, quiet);
  await packFile({ ...before, file: old }, quiet);

  const bundle = await opened(t, file);
  const oldBundle = await opened(t, old);

  for (const name of ['web', 'web@1.0.0', undefined])
    t.like(await readSbom(bundle, name), { bomFormat: 'CycloneDX' });
  await t.throwsAsync(readSbom(bundle, 'wep'), {
    code: 'SOURCE_MISSING',
    message: /no bill of materials of wep/,
  });
  await t.throwsAsync(readSbom(oldBundle, undefined), { code: 'SOURCE_MISSING' });
  t.deepEqual(
    inspect(oldBundle, []).appliances,
    inspect(bundle, []).appliances.map(({ sbom: __, ...rest }) => rest),
  );
});

test('a failure while writing leaves the bundle that was there, and nothing else', async (t) => {
  const { contents, source } = sampleBundle();
  const folder = temporaryFolder(t, { 'x.sheaf': 'before' });
  const file = join(folder, 'x.sheaf');
  const broken: typeof source.open = async function* () {
    yield Buffer.from('x');
    throw new EngineError('BLOB_CORRUPT', 'the disk is broken');
  };
  const stop = new AbortController();
  const endless: typeof source.open = async function* () {
    stop.abort();
    yield Buffer.from('x');
  };

  const failed = packFile({ contents, source: { open: broken }, file }, quiet);
  await t.throwsAsync(failed, { instanceOf: EngineError, code: 'BLOB_CORRUPT' });
  const stopped = packFile({ contents, source: { open: endless }, file }, { ...quiet, signal: stop.signal });
  await t.throwsAsync(stopped, { instanceOf: EngineError, code: 'OPERATION_INTERRUPTED' });
  const nowhere = packFile({ contents, source, file: join(folder, 'no/x.sheaf') }, quiet);
  await t.throwsAsync(nowhere, { instanceOf: EngineError, code: 'SOURCE_MISSING' });

  t.deepEqual(readdirSync(folder), ['x.sheaf']);
  t.is(await readFile(file, 'utf8'), 'before');
});

async function opened(t: ExecutionContext, file: string): Promise<BundleFile> {
  const bundle = await openBundle(file);
  t.teardown(() => bundle.close());
  return bundle;
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
