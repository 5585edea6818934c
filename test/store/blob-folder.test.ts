import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type Digest, digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Blobs } from '../../engine/model/blob.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';

test('what was written is read, opened and measured by its digest', async (t) => {
  const { blobs } = await open(t);

  const digest = await blobs.write('hello');

  t.is(digest, digestOf('hello'));
  t.true(await blobs.has(digest));
  t.is(await blobs.size(digest), 5);
  t.is(Buffer.from(await blobs.read(digest)).toString(), 'hello');
  t.is((await buffer(blobs.open(digest))).toString(), 'hello');
  t.is(await readFile(blobs.path(digest), 'utf8'), 'hello');
});

test('blobs and their folders are for the owner alone', async (t) => {
  const { blobs, folder } = await open(t);

  const digest = await blobs.write('secret');

  t.is((await stat(blobs.path(digest))).mode & 0o777, 0o400);
  t.is((await stat(folder)).mode & 0o777, 0o700);
});

test('a stream is stored in whatever pieces it comes', async (t) => {
  const { blobs } = await open(t);

  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), async (pieces) => {
      const whole = Buffer.concat(pieces);
      const stored = await blobs.writeStream(Readable.from(pieces));
      t.deepEqual(stored, { digest: digestOf(whole), size: whole.length });
      t.true(whole.equals(await blobs.read(stored.digest)));
    }),
    { numRuns: 30 },
  );
});

test('several blobs are stored together or not at all', async (t) => {
  const { blobs, temporary } = await open(t);
  const whole = ['one', 'two'].map((text) => ({
    part: { mediaType: 'text/plain', digest: digestOf(text), size: text.length },
    content: () => Readable.from([Buffer.from(text)]),
  }));
  const wrong = {
    part: { mediaType: 'text/plain', digest: digestOf('three'), size: 5 },
    content: () => Readable.from([Buffer.from('other')]),
  };

  await t.throwsAsync(blobs.writeAll([...whole, wrong]), { instanceOf: EngineError, code: 'BLOB_CORRUPT' });
  const before = await Promise.all(whole.map(({ part }) => blobs.has(part.digest)));
  await blobs.writeAll(whole);

  t.deepEqual(before, [false, false]);
  for (const { part } of whole) t.is(await blobs.size(part.digest), part.size);
  t.deepEqual(await drafts(temporary), []);
});

test('writers of the same blob at the same time do not hinder each other', async (t) => {
  const { blobs, temporary } = await open(t);
  const content = Buffer.alloc(300_000, 'x');

  const stored = await Promise.all(
    Array.from({ length: 8 }, () => blobs.writeStream(Readable.from([content]))),
  );

  t.is(new Set(stored.map(({ digest }) => digest)).size, 1);
  t.deepEqual(await drafts(temporary), []);
});

test('a stream that fails leaves nothing and keeps its own error', async (t) => {
  const { blobs, folder, temporary } = await open(t);
  const failure = new EngineError('OPERATION_INTERRUPTED', 'stopped');
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw failure;
  };

  t.is(await t.throwsAsync(blobs.writeStream(stream())), failure);

  t.deepEqual(await drafts(temporary), []);
  t.deepEqual(await readdir(join(folder, 'sha256')), []);
});

test('a disk that fills up is DISK_FULL and leaves nothing', async (t) => {
  const { blobs, temporary } = await open(t);
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw Object.assign(new Error('write'), { code: 'ENOSPC' });
  };

  const error = await t.throwsAsync(blobs.writeStream(stream()), { instanceOf: EngineError });

  t.is(error?.code, 'DISK_FULL');
  t.deepEqual(await drafts(temporary), []);
});

const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  changed: async (path) => {
    await chmod(path, 0o600);
    await writeFile(path, 'Hello');
  },
  'cut short': async (path) => {
    await chmod(path, 0o600);
    await writeFile(path, 'hel');
  },
  removed: async (path) => await rm(path),
};

for (const [title, damage] of Object.entries(damages)) {
  test(`a blob that was ${title} is BLOB_CORRUPT, until it is written again`, async (t) => {
    const { blobs } = await open(t);
    const digest = await blobs.write('hello');
    await damage(blobs.path(digest));

    const read = await t.throwsAsync(blobs.read(digest), { instanceOf: EngineError });
    const opened = await t.throwsAsync(buffer(blobs.open(digest)), { instanceOf: EngineError });
    await blobs.write('hello');

    t.is(read?.code, 'BLOB_CORRUPT');
    t.is(opened?.code, 'BLOB_CORRUPT');
    t.is(Buffer.from(await blobs.read(digest)).toString(), 'hello');
  });
}

test('what is no digest never becomes a path', async (t) => {
  const { blobs } = await open(t);

  for (const wrong of ['sha256:../../etc/passwd', 'sha256:', `md5:${'0'.repeat(64)}`, '/etc/passwd'])
    t.is(t.throws(() => blobs.path(wrong as Digest), { instanceOf: EngineError })?.code, 'BLOB_CORRUPT');
});

test('drafts of processes that are gone are removed when the folder is opened, ours stay', async (t) => {
  const { folder, temporary } = await open(t);
  const [ours] = await readdir(temporary);
  await mkdir(join(temporary, '1-1-0f0f0f0f-0000'));
  await writeFile(join(temporary, '1-1-0f0f0f0f-0000', 'draft'), 'half');

  await openBlobs(folder, { temporary });

  t.deepEqual(await readdir(temporary), ours === undefined ? [] : [ours]);
});

async function open(
  t: ExecutionContext,
): Promise<{ readonly blobs: Blobs; readonly folder: string; readonly temporary: string }> {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-blobs-'));
  t.teardown(() => rm(home, { recursive: true }));
  const [folder, temporary] = [join(home, 'blobs'), join(home, 'unfinished')];
  return { blobs: await openBlobs(folder, { temporary }), folder, temporary };
}

async function drafts(temporary: string): Promise<readonly string[]> {
  const owners = await readdir(temporary);
  return (await Promise.all(owners.map((owner) => readdir(join(temporary, owner))))).flat();
}
