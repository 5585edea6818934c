import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import fc from 'fast-check';
import { EngineError } from '../../engine/errors.ts';
import { layerForOverlay } from '../../engine/formats/layer.ts';
import { readTar, type TarEntry, type TarSource, type TarType, writeTar } from '../../engine/formats/tar.ts';

const blank = { mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0, target: '', attributes: {} };
const folder = (path: string, mode = 0o755): TarSource => ({ ...blank, path, type: 'directory', mode });
const file = (path: string): TarSource => ({ ...blank, path, type: 'file' });
const link = (path: string, target: string): TarSource => ({ ...blank, path, type: 'link', target });

test('whiteouts become devices 0:0 and opaque folders carry the attribute', async (t) => {
  const layer = [
    folder('./'),
    folder('./etc/', 0o750),
    file('./etc/.wh..wh..opq'),
    file('./etc/new'),
    file('./etc/.wh.old'),
    file('.wh.gone'),
  ];

  t.deepEqual(await translate(layer), [
    'directory 750 etc/ opaque',
    'file 644 etc/new',
    'character-device 0 etc/old',
    'character-device 0 gone',
  ]);
});

test('folders that the layer leaves out are written in, the marked ones opaque', async (t) => {
  t.deepEqual(await translate([file('a/b/.wh..wh..opq'), file('a/b/c/d'), file('a/e')]), [
    'directory 755 a/',
    'directory 755 a/b/ opaque',
    'directory 755 a/b/c/',
    'file 644 a/b/c/d',
    'file 644 a/e',
  ]);
});

test('a folder named twice in the same way is taken once', async (t) => {
  t.deepEqual(await translate([folder('a/'), file('a/b'), folder('./a')]), [
    'directory 755 a/',
    'file 644 a/b',
  ]);
});

test('file capabilities and user attributes stay, and none that overlayfs would obey', async (t) => {
  const attributes = {
    'security.capability': '\u0001\0\0\u0002\0 \0\0',
    'user.origin': 'here',
    'trusted.overlay.redirect': '/etc',
    'security.selinux': 'x',
  };

  const [entry] = await readAll(layerForOverlay(writeTar([{ ...file('ping'), attributes }])));

  t.deepEqual(entry?.attributes, {
    'security.capability': '\u0001\0\0\u0002\0 \0\0',
    'user.origin': 'here',
  });
});

test('devices are left out, and the folders above them stay', async (t) => {
  const device = { ...blank, path: 'dev/null', type: 'character-device' as const };

  t.deepEqual(await translate([device, { ...device, path: 'dev/sda', type: 'block-device' }, file('a')]), [
    'directory 755 dev/',
    'file 644 a',
  ]);
});

const refusals: Readonly<Record<string, readonly TarSource[]>> = {
  'an absolute path': [file('/etc/passwd')],
  'a path that leads upwards': [file('a/../../b')],
  'a path with a zero byte': [file(`a\0b/${'c'.repeat(120)}`)],
  'a name longer than a file system takes': [file('ä'.repeat(128))],
  'a file named twice': [file('a'), file('./a')],
  'a folder named twice in two ways': [folder('a', 0o755), folder('a', 0o700)],
  'a file and its whiteout': [file('a'), file('.wh.a')],
  'a whiteout and its file': [file('.wh.a'), file('a')],
  'an entry below a file': [file('a'), file('a/b')],
  'an entry below a symbolic link': [{ ...blank, path: 'a', type: 'symlink', target: '/etc' }, file('a/b')],
  'an entry below a removed folder': [file('.wh.a'), file('a/b')],
  'a hard link to the outside': [link('a', '../../etc/shadow')],
  'a hard link to an absolute path': [link('a', '/etc/shadow')],
  'a hard link to what is not there': [link('a', 'b')],
  'a hard link to a symbolic link': [{ ...blank, path: 'b', type: 'symlink', target: 'x' }, link('a', 'b')],
  'a hard link to itself': [link('a', 'a')],
  'a symbolic link to nothing': [{ ...blank, path: 'a', type: 'symlink' }],
  'a whiteout of no name': [file('.wh.')],
  'a whiteout of the folder above': [file('a/.wh...')],
  'a whiteout of a whiteout': [file('.wh..wh.plnk')],
  'a whiteout that is a folder': [folder('.wh.a')],
  'an opaque root': [file('.wh..wh..opq')],
  'a marker after the content': [folder('a/'), file('a/b'), file('a/.wh..wh..opq')],
  'a root that is a file': [file('.')],
  'an attribute whose bytes are lost': [{ ...file('a'), attributes: { 'user.a': '\ufffd' } }],
};

for (const [title, layer] of Object.entries(refusals)) {
  test(`${title} is refused`, async (t) => {
    const error = await t.throwsAsync(translate(layer), { instanceOf: EngineError });

    t.is(error?.code, 'BLOB_CORRUPT');
  });
}

test('a layer beyond the limits is refused', async (t) => {
  const layer = [file('aa'), { ...file('bb'), size: 3, content: Buffer.from('abc') }, file('cc')];
  const limits = { entries: 3, bytes: 3, pathBytes: 6 };

  await t.notThrowsAsync(translate(layer, limits));
  for (const narrow of [{ entries: 2 }, { bytes: 2 }, { pathBytes: 5 }])
    await t.throwsAsync(translate(layer, { ...limits, ...narrow }), { message: /too large/ });
});

test('any layer is refused, or becomes one that holds nothing dangerous', async (t) => {
  const names = ['a', 'b', '.', '..', '', '.wh.a', '.wh.b', '.wh..wh..opq', '.wh.', 'ü'];
  const path = fc
    .array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  const types: readonly TarType[] = ['file', 'directory', 'symlink', 'link', 'fifo', 'block-device'];
  const entry: fc.Arbitrary<TarSource> = fc
    .record({ path, type: fc.constantFrom(...types), target: path, mode: fc.nat(0o7777) })
    .map((each) => ({
      ...blank,
      ...each,
      target: each.type === 'link' || each.type === 'symlink' ? each.target : '',
    }));

  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (layer) => {
      const entries = await readAll(layerForOverlay(writeTar(layer))).catch((error: unknown) => {
        t.true(error instanceof EngineError && error.code === 'BLOB_CORRUPT', String(error));
        return [];
      });
      const seen = new Set<string>();
      for (const each of entries) {
        const parts = each.path.replace(/\/$/, '').split('/');
        t.false(parts.some((part) => ['', '.', '..'].includes(part) || part.startsWith('.wh.')));
        t.not(each.type, 'block-device');
        if (each.type === 'link') t.true(seen.has(each.target));
        const parent = parts.slice(0, -1).join('/');
        t.true(parent === '' || seen.has(`${parent}/`));
        t.false(seen.has(parts.join('/')));
        seen.add(each.path);
      }
    }),
    { numRuns: 500 },
  );
});

test('any bytes are refused or hold nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
      const error = await readAll(layerForOverlay(Readable.from([bytes]))).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      t.true(error === undefined || (error instanceof EngineError && error.code === 'BLOB_CORRUPT'));
    }),
    { numRuns: 200 },
  );
});

async function translate(
  layer: readonly TarSource[],
  limits?: Parameters<typeof layerForOverlay>[1],
): Promise<readonly string[]> {
  const entries = await readAll(layerForOverlay(writeTar(layer), limits));
  return entries.map(({ type, mode, path, attributes }) =>
    [type, mode.toString(8), path, ...(attributes['trusted.overlay.opaque'] === 'y' ? ['opaque'] : [])].join(
      ' ',
    ),
  );
}

async function readAll(archive: AsyncIterable<Uint8Array>): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = [];
  for await (const { entry, content } of readTar(archive)) {
    await buffer(content);
    entries.push(entry);
  }
  return entries;
}
