import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { readTar, type TarEntry, type TarSource, writeTar } from '../../engine/formats/tar.ts';

const blank = { mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0, target: '', attributes: {} };

test('what was written is read back, entry by entry', async (t) => {
  const entries: readonly TarSource[] = [
    { ...blank, path: 'folder/', type: 'directory', mode: 0o755 },
    { ...blank, path: 'folder/secret', type: 'file', mode: 0, size: 3, content: Buffer.from('abc') },
    { ...blank, path: 'folder/name', type: 'link', target: 'folder/secret' },
    { ...blank, path: `${'long/'.repeat(60)}ü`, type: 'symlink', mode: 0o777, target: 'é'.repeat(120) },
    { ...blank, path: 'owner', type: 'fifo', uid: 4_000_000_000, gid: 300_000, mtime: 1_577_836_800 },
    { ...blank, path: 'gone', type: 'character-device', attributes: { 'user.origin': 'here' } },
  ];

  const read = await readAll(writeTar(entries));

  t.deepEqual(
    read.map(({ entry }) => entry),
    entries.map(({ content, ...entry }) => entry),
  );
  t.is(read[1]?.text, 'abc');
});

test('the same entries give the same bytes, however their content arrives', async (t) => {
  const size = 200_000;
  const whole: TarSource = { ...blank, path: 'a', type: 'file', size, content: Buffer.alloc(size, 7) };
  const pieces = { ...whole, content: Readable.from([Buffer.alloc(1, 7), Buffer.alloc(size - 1, 7)]) };

  const [one, other] = [await buffer(writeTar([whole])), await buffer(writeTar([pieces]))];

  t.true(one.equals(other));
});

test('content that is skipped does not hinder the next entry', async (t) => {
  const size = 1_000_000;
  const archive = writeTar([
    { ...blank, path: 'large', type: 'file', size, content: Buffer.alloc(size) },
    { ...blank, path: 'next', type: 'file', size: 2, content: Buffer.from('ok') },
  ]);

  const paths: string[] = [];
  for await (const { entry } of readTar(archive)) paths.push(entry.path);

  t.deepEqual(paths, ['large', 'next']);
});

test('a file of another length than its entry says fails the archive', async (t) => {
  const short: TarSource = { ...blank, path: 'a', type: 'file', size: 5, content: Buffer.from('abc') };

  await t.throwsAsync(buffer(writeTar([short])));
});

const broken: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  'no tar at all': async () => Buffer.from('hello'),
  'a header with a wrong checksum': async () => Buffer.alloc(1024, 'A'),
  'an archive that ends within a file': async () => {
    const file: TarSource = { ...blank, path: 'a', type: 'file', size: 5000, content: Buffer.alloc(5000) };
    return (await buffer(writeTar([file]))).subarray(0, 2000);
  },
};

for (const [title, make] of Object.entries(broken)) {
  test(`${title} is BLOB_CORRUPT`, async (t) => {
    const bytes = await make();

    const error = await t.throwsAsync(readAll(Readable.from([bytes])), { instanceOf: EngineError });

    t.is(error?.code, 'BLOB_CORRUPT');
  });
}

test('a source that fails keeps its own error', async (t) => {
  const failure = new EngineError('DISK_FULL', 'no room');
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(100);
    throw failure;
  };

  t.is(await t.throwsAsync(readAll(source())), failure);
});

async function readAll(
  archive: AsyncIterable<Uint8Array>,
): Promise<readonly { readonly entry: TarEntry; readonly text: string }[]> {
  const items: { entry: TarEntry; text: string }[] = [];
  for await (const { entry, content } of readTar(archive))
    items.push({ entry, text: (await buffer(content)).toString() });
  return items;
}
