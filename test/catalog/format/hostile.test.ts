import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { openBundle, openPackedBundle, packFile } from '../../../catalog/index.ts';
import { canonicalJson, digestOf } from '../../../engine/digest.ts';
import { EngineError, type ErrorCode } from '../../../engine/errors.ts';
import type { PackingList } from '../../../engine/model/packing-list.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { type RawEntry, rawTar, readRawTar } from '../raw-tar.ts';
import { quiet, type SampleChanges, sampleBundle } from '../sample-bundle.ts';

type Entries = readonly (RawEntry & { readonly content: Buffer })[];
type Mutilation = {
  readonly what: string;
  readonly code: ErrorCode;
  readonly archive: (entries: Entries, whole: Buffer) => Buffer;
  readonly sample?: SampleChanges;
};

const blob = (content: string): RawEntry => ({
  path: `blobs/sha256/${digestOf(content).slice(7)}`,
  content: Buffer.from(content),
});
const withMore = (more: RawEntry) => (entries: Entries) => rawTar([...entries, more]);
const withText = (path: string, change: (text: string) => string) => (entries: Entries) =>
  rawTar(
    entries.map((entry) =>
      entry.path === path ? { ...entry, content: Buffer.from(change(entry.content.toString())) } : entry,
    ),
  );
const withoutChange = (entries: Entries) => rawTar(entries);
/** Writes the first manifest anew, under its new digest, so that nothing but its meaning is wrong. */
const withManifest = (change: (text: string) => string) => (entries: Entries) => {
  const [, , root] = entries;
  const text = change(String(root?.content));
  const index = (old: string) =>
    old
      .replace(String(root?.path).slice(-64), digestOf(text).slice(7))
      .replace(/"size":\d+/, `"size":${Buffer.byteLength(text)}`);
  return rawTar(
    entries.map((entry) => {
      if (entry === root) return blob(text);
      return entry.path === 'index.json'
        ? { ...entry, content: Buffer.from(index(entry.content.toString())) }
        : entry;
    }),
  );
};
const listed = (change: (list: PackingList) => unknown): SampleChanges => ({
  change: (list) => change(list) as PackingList,
});
const plainLayer = 'application/vnd.oci.image.layer.v1.tar';
const part = { mediaType: 'application/x-other', digest: digestOf('x'), size: 1 };

const mutilations: readonly Mutilation[] = [
  { what: 'a path upwards', code: 'BUNDLE_PATH_UNSAFE', archive: withMore({ path: '../../etc/cron.d/x' }) },
  { what: 'an absolute path', code: 'BUNDLE_PATH_UNSAFE', archive: withMore({ path: '/etc/passwd' }) },
  {
    what: 'a path upwards below blobs',
    code: 'BUNDLE_PATH_UNSAFE',
    archive: withMore({ path: 'blobs/sha256/../../../x' }),
  },
  {
    what: 'a symbolic link',
    code: 'BUNDLE_ENTRY_REFUSED',
    archive: withMore({ path: 'blobs/sha256/x', type: '2', target: '/etc/shadow' }),
  },
  {
    what: 'a hard link',
    code: 'BUNDLE_ENTRY_REFUSED',
    archive: withMore({ path: 'blobs/sha256/x', type: '1', target: 'index.json' }),
  },
  { what: 'a device', code: 'BUNDLE_ENTRY_REFUSED', archive: withMore({ path: 'sda', type: '4' }) },
  { what: 'a pipe', code: 'BUNDLE_ENTRY_REFUSED', archive: withMore({ path: 'pipe', type: '6' }) },
  { what: 'a sparse file', code: 'BUNDLE_ENTRY_REFUSED', archive: withMore({ path: 'x', type: 'S' }) },
  {
    what: 'an extended header that renames the next entry',
    code: 'BUNDLE_ENTRY_REFUSED',
    archive: withMore({ path: 'pax', type: 'x', content: Buffer.from('18 path=/etc/passw\n') }),
  },
  {
    what: 'a global extended header',
    code: 'BUNDLE_ENTRY_REFUSED',
    archive: withMore({ path: 'p', type: 'g' }),
  },
  { what: 'a long name', code: 'BUNDLE_ENTRY_REFUSED', archive: withMore({ path: 'x', type: 'L' }) },
  {
    what: 'an entry twice',
    code: 'BUNDLE_ENTRY_DUPLICATE',
    archive: (entries) => rawTar([...entries, ...entries.slice(3, 4)]),
  },
  {
    what: 'an entry twice under two spellings',
    code: 'BUNDLE_ENTRY_DUPLICATE',
    archive: (entries) => rawTar([...entries, { path: './index.json', content: Buffer.from('{}') }]),
  },
  { what: 'a blob that nothing names', code: 'BUNDLE_ENTRY_UNLISTED', archive: withMore(blob('more')) },
  { what: 'a file of another name', code: 'BUNDLE_ENTRY_UNLISTED', archive: withMore({ path: 'run.sh' }) },
  {
    what: 'a folder of another name',
    code: 'BUNDLE_ENTRY_UNLISTED',
    archive: withMore({ path: 'etc/', type: '5' }),
  },
  {
    what: 'bytes after its end',
    code: 'BUNDLE_ENTRY_UNLISTED',
    archive: (_, whole) => Buffer.concat([whole, Buffer.from('hidden')]),
  },
  {
    what: 'its end cut off',
    code: 'BUNDLE_TRUNCATED',
    archive: (_, whole) => whole.subarray(0, whole.length - 1024),
  },
  {
    what: 'its second half cut off',
    code: 'BUNDLE_TRUNCATED',
    archive: (_, whole) => whole.subarray(0, 6000),
  },
  { what: 'no bytes', code: 'BUNDLE_TRUNCATED', archive: () => Buffer.alloc(0) },
  { what: 'other bytes than a tar has', code: 'BUNDLE_UNREADABLE', archive: () => Buffer.alloc(4096, 'x') },
  {
    what: 'a damaged header',
    code: 'BUNDLE_UNREADABLE',
    archive: (_, whole) => Buffer.concat([Buffer.from('0ci'), whole.subarray(3)]),
  },
  {
    what: 'a size beyond the file',
    code: 'BUNDLE_TRUNCATED',
    archive: withMore({ ...blob('x'), size: 2 ** 30 }),
  },
  {
    what: 'a hundred thousand entries',
    code: 'BUNDLE_TOO_LARGE',
    archive: () => rawTar(Array.from({ length: 100_000 }, (_, at) => ({ path: `blobs/sha256/${at}` }))),
  },
  {
    what: 'a manifest that names a hundred thousand parts',
    code: 'BUNDLE_TOO_LARGE',
    archive: withManifest((text) =>
      text.replace('],"mediaType"', `${`,${canonicalJson(part)}`.repeat(100_000)}],"mediaType"`),
    ),
  },
  {
    what: 'a manifest that names thirty thousand parts',
    code: 'BUNDLE_UNREADABLE',
    archive: withManifest((text) =>
      text.replace('],"mediaType"', `${`,${canonicalJson(part)}`.repeat(30_000)}],"mediaType"`),
    ),
  },
  {
    what: 'an index.json that names a hundred thousand images',
    code: 'BUNDLE_TOO_LARGE',
    archive: withText('index.json', (text) =>
      text.replace('"manifests":[', `"manifests":[${`${canonicalJson(part)},`.repeat(100_000)}`),
    ),
  },
  {
    what: 'a packing list of a hundred thousand files',
    code: 'BUNDLE_UNREADABLE',
    archive: withoutChange,
    sample: listed((list) => ({
      ...list,
      places: Object.fromEntries(
        Array.from({ length: 100_000 }, (_, at) => [`p${at}`, { kind: 'folder', digest: part.digest }]),
      ),
    })),
  },
  {
    what: 'a number beyond all numbers for a size',
    code: 'BUNDLE_UNREADABLE',
    archive: (_, whole) => {
      const header = Buffer.from(whole.subarray(0, 512));
      header.fill(0xff, 124, 136);
      header[124] = 0x80;
      header.write(' '.repeat(8), 148, 'latin1');
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      return Buffer.concat([header, whole.subarray(512)]);
    },
  },
  {
    what: 'a path with backslashes upwards',
    code: 'BUNDLE_PATH_UNSAFE',
    archive: withMore({ path: 'blobs\\..\\..\\x' }),
  },
  {
    what: 'no index.json',
    code: 'BUNDLE_UNREADABLE',
    archive: (entries) => rawTar(entries.filter(({ path }) => path !== 'index.json')),
  },
  {
    what: 'an index.json that is no JSON',
    code: 'BUNDLE_UNREADABLE',
    archive: withText('index.json', () => '{'),
  },
  {
    what: 'a huge index.json',
    code: 'BUNDLE_TOO_LARGE',
    archive: withText('index.json', (text) => text + ' '.repeat(2 ** 20)),
  },
  {
    what: 'an index.json as deep as it is long',
    code: 'BUNDLE_UNREADABLE',
    archive: withText('index.json', () => '['.repeat(500_000)),
  },
  {
    what: 'another layout',
    code: 'BUNDLE_TYPE_UNKNOWN',
    archive: withText('oci-layout', () => '{"imageLayoutVersion":"2.0.0"}'),
  },
  {
    what: 'an index in its index',
    code: 'BUNDLE_TYPE_UNKNOWN',
    archive: withText('index.json', (text) => text.replace('image.manifest.v1', 'image.index.v1')),
  },
  {
    what: 'a manifest of a wrong size',
    code: 'BUNDLE_SIZE_WRONG',
    archive: withText('index.json', (text) => text.replace(/"size":\d+/, '"size":7')),
  },
  {
    what: 'a manifest that names one part less',
    code: 'BUNDLE_CONTRADICTORY',
    archive: withManifest((text) => text.replace(/,\{[^{}]*kernel\.v1","size":\d+\}/, '')),
  },
  {
    what: 'a manifest with a part of an unknown type',
    code: 'BUNDLE_TYPE_UNKNOWN',
    archive: withManifest((text) => text.replace('],"mediaType"', `,${canonicalJson(part)}],"mediaType"`)),
  },
  {
    what: 'a manifest with spaces',
    code: 'BUNDLE_UNREADABLE',
    archive: withManifest((text) => text.replace('{', '{ ')),
  },
  {
    what: 'a manifest of other keys',
    code: 'BUNDLE_UNREADABLE',
    archive: withManifest((text) => text.replace('"config"', '"_more":1,"config"')),
  },
  {
    what: 'no packing list',
    code: 'BUNDLE_INCOMPLETE',
    archive: (entries) => rawTar(entries.filter((_, at) => at !== 3)),
  },
  {
    what: 'one part left out of a thick one',
    code: 'BUNDLE_INCOMPLETE',
    archive: (entries) => rawTar(entries.slice(0, -1)),
  },
  {
    what: 'a flipped bit in its packing list',
    code: 'BUNDLE_DIGEST_WRONG',
    archive: (entries) => rawTar(entries.map((entry, at) => (at === 3 ? flipped(entry) : entry))),
  },
  {
    what: 'a flipped bit in its last part',
    code: 'BUNDLE_DIGEST_WRONG',
    archive: (entries) =>
      rawTar(entries.map((entry, at) => (at === entries.length - 1 ? flipped(entry) : entry))),
  },
  {
    what: 'a flipped bit at the beginning of a large layer',
    code: 'BUNDLE_DIGEST_WRONG',
    archive: (entries) =>
      rawTar(entries.map((entry) => (entry.content.length > 2 ** 20 ? flipped(entry) : entry))),
    sample: { tar: randomBytes(2 ** 21) },
  },
  {
    what: 'a part longer than it says',
    code: 'BUNDLE_SIZE_WRONG',
    archive: (entries) =>
      rawTar(
        entries.map((entry, at) =>
          at === 4 ? { ...entry, content: Buffer.concat([entry.content, Buffer.from('x')]) } : entry,
        ),
      ),
  },
  {
    what: 'a newer format',
    code: 'BUNDLE_TYPE_UNKNOWN',
    archive: withoutChange,
    sample: listed((list) => ({ ...list, apiVersion: 'sheaf/v2' })),
  },
  {
    what: 'a packing list of other keys',
    code: 'BUNDLE_UNREADABLE',
    archive: withoutChange,
    sample: listed((list) => ({ ...list, run: ['sh'] })),
  },
  {
    what: 'a file of an unknown type',
    code: 'BUNDLE_TYPE_UNKNOWN',
    archive: withoutChange,
    sample: listed((list) => ({
      ...list,
      files: { ...list.files, x: { ...Object.values(list.files)[0], mediaType: 'application/x-program' } },
    })),
  },
  {
    what: 'a broken lock',
    code: 'BUNDLE_UNREADABLE',
    archive: withoutChange,
    sample: listed((list) => ({ ...list, lock: { ...list.lock, appliances: { web: {} } } })),
  },
  {
    what: 'an image whose manifest names other layers',
    code: 'BUNDLE_CONTRADICTORY',
    archive: withoutChange,
    sample: listed((list) => ({
      ...list,
      images: Object.fromEntries(
        Object.entries(list.images).map(([name, image]) => [
          name,
          { ...image, layers: image.layers.toReversed() },
        ]),
      ),
    })),
  },
  {
    what: 'an image whose layer would be unpacked otherwise than its manifest says',
    code: 'BUNDLE_CONTRADICTORY',
    archive: withoutChange,
    sample: listed((list) => ({
      ...list,
      images: Object.fromEntries(
        Object.entries(list.images).map(([name, image]) => [
          name,
          { ...image, layers: image.layers.map((layer) => ({ ...layer, mediaType: plainLayer })) },
        ]),
      ),
    })),
  },
  {
    what: 'a kit of other parts',
    code: 'BUNDLE_CONTRADICTORY',
    archive: withoutChange,
    sample: listed((list) => ({ ...list, kit: { ...list.kit, parts: list.kit?.parts.slice(1) } })),
  },
  {
    what: 'a layer that unpacks to something else than its image says',
    code: 'BUNDLE_CONTRADICTORY',
    archive: withoutChange,
    sample: { diffId: digestOf('another') },
  },
  {
    what: 'a layer that unpacks to a thousandfold',
    code: 'BUNDLE_TOO_LARGE',
    archive: withoutChange,
    sample: { tar: Buffer.alloc(300 * 2 ** 20) },
  },
];

for (const { what, code, archive, sample } of mutilations) {
  test(`a bundle with ${what} is refused as ${code}, and nothing of it is kept`, async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, 'x.sheaf');
    const whole = await packed(t, sample);
    await writeFile(file, archive(readRawTar(whole), whole));

    const { error, kept } = await unpack(folder, file);

    t.true(error instanceof EngineError, String(error));
    t.is((error as EngineError).code, code, (error as EngineError).message);
    t.not((error as EngineError).hint, undefined);
    t.deepEqual(kept, []);
  });
}

test('a byte between two files of a bundle is refused', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'x.sheaf');
  const whole = await packed(t);
  const size = Number.parseInt(whole.toString('latin1', 124, 135), 8);
  t.not(size % 512, 0);
  whole[512 + size] = 1;
  await writeFile(file, whole);

  const { error, kept } = await unpack(folder, file);

  t.is((error as EngineError).code, 'BUNDLE_UNREADABLE');
  t.deepEqual(kept, []);
});

test('whatever becomes of its bytes, a bundle is refused by a code or is what it was', async (t) => {
  const whole = await packed(t);
  const { contents } = sampleBundle();
  const folder = temporaryFolder(t);
  const file = join(folder, 'x.sheaf');
  const edit = fc.record({
    at: fc.nat(whole.length - 1),
    length: fc.oneof(fc.constant(1), fc.nat(600)),
    bytes: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.constant(new Uint8Array(512))),
  });

  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const damaged = edits.reduce(
        (buffer, { at, length, bytes }) =>
          Buffer.concat([buffer.subarray(0, at), bytes, buffer.subarray(at + length)]),
        whole,
      );
      await writeFile(file, damaged);
      const { error, kept, digest } = await unpack(folder, file);
      if (error === undefined) return digest === contents.manifest.config.digest;
      return error instanceof EngineError && error.code.startsWith('BUNDLE_') && kept.length === 0;
    }),
    { numRuns: 400 },
  );
  t.pass();
});

async function packed(t: ExecutionContext, changes?: SampleChanges): Promise<Buffer> {
  const { contents, source } = sampleBundle(changes);
  const file = join(temporaryFolder(t), 'whole.sheaf');
  await packFile({ contents, source, file }, quiet);
  return await readFile(file);
}

function flipped<T extends { readonly content: Buffer }>(entry: T): T {
  const content = Buffer.from(entry.content);
  content[0] = (content[0] ?? 0) ^ 4;
  return { ...entry, content };
}

/** Unpacks a bundle into an empty store. */
async function unpack(
  folder: string,
  file: string,
): Promise<{ readonly error?: unknown; readonly kept: readonly string[]; readonly digest?: string }> {
  const store = join(folder, `store-${crypto.randomUUID()}`);
  const blobs = await openBlobs(join(store, 'blobs'), { temporary: join(store, 'drafts') });
  const left = () =>
    [
      join(store, 'blobs/sha256'),
      ...readdirSync(join(store, 'drafts')).map((name) => join(store, 'drafts', name)),
    ].flatMap((path) => readdirSync(path));
  try {
    const source = await openPackedBundle(file, async () => ({ state: 'unsigned', keys: [], reason: '' }));
    try {
      await source.storeParts(blobs, quiet);
      return { kept: left(), digest: source.digest };
    } finally {
      await source.close();
    }
  } catch (error) {
    return { error, kept: left() };
  }
}

test('what is no file is no bundle', async (t) => {
  const folder = temporaryFolder(t);

  for (const path of [folder, join(folder, 'absent')])
    await t.throwsAsync(openBundle(path), { instanceOf: EngineError, code: 'SOURCE_MISSING' });
});
