import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import fc from 'fast-check';
import { EngineError } from '../../engine/errors.ts';
import { layerForOverlay, layersAsOne, lossesOf } from '../../engine/formats/layer.ts';
import { readTar, type TarEntry, type TarSource, type TarType, writeTar } from '../../engine/formats/tar.ts';

const blank = { mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0, target: '', attributes: {} };
const folder = (path: string, mode = 0o755): TarSource => ({ ...blank, path, type: 'directory', mode });
const file = (path: string): TarSource => ({ ...blank, path, type: 'file' });
const symlink = (path: string, target: string): TarSource => ({ ...blank, path, type: 'symlink', target });
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
    'character-device 0 gone',
    'character-device 0 etc/old',
    'file 644 etc/new',
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

const meanings: Readonly<Record<string, readonly [readonly TarSource[], readonly string[]]>> = {
  'of two files of one name the later stays': [
    [{ ...file('a'), mode: 0o600 }, file('b'), { ...file('./a'), mode: 0o700 }],
    ['file 644 b', 'file 700 a'],
  ],
  'a folder named again keeps its content, with the later mode': [
    [folder('a', 0o755), file('a/b'), folder('./a', 0o700)],
    ['directory 700 a/', 'file 644 a/b'],
  ],
  'a file in the place of a folder removes what was in it': [
    [file('a/b/c'), file('a'), file('d')],
    ['file 644 a', 'file 644 d'],
  ],
  'a folder in the place of a file hides the folder below': [
    [file('a'), folder('a'), file('a/b')],
    ['directory 755 a/ opaque', 'file 644 a/b'],
  ],
  'a whiteout hides no file of its own layer, in either order': [
    [file('a'), file('.wh.a'), file('.wh.b'), file('b')],
    ['file 644 a', 'file 644 b'],
  ],
  'a folder that is removed and made again hides what it was': [
    [file('.wh.a'), file('a/b')],
    ['directory 755 a/ opaque', 'file 644 a/b'],
  ],
  'a marker counts for its folder wherever it stands': [
    [folder('a/'), file('a/b'), file('a/.wh..wh..opq')],
    ['directory 755 a/ opaque', 'file 644 a/b'],
  ],
  'notes of AUFS are no files': [[file('.wh..wh.aufs'), file('.wh..wh.plnk/1'), file('a')], ['file 644 a']],
  'a leading slash means the root': [
    [folder('/etc'), file('/etc/a'), link('/etc/b', '/etc/a')],
    ['directory 755 etc/', 'file 644 etc/a', 'link 644 etc/b etc/a'],
  ],
  'a path through a link of the layer leads where the link does, never above the root': [
    [symlink('lib', 'usr/lib'), symlink('usr/lib/x', '../../../etc'), file('lib/x/a'), file('lib/b')],
    [
      'symlink 644 lib usr/lib',
      'directory 755 usr/',
      'directory 755 etc/',
      'directory 755 usr/lib/',
      'symlink 644 usr/lib/x ../../../etc',
      'file 644 etc/a',
      'file 644 usr/lib/b',
    ],
  ],
  'a hard link keeps the file whose first name goes to another': [
    [{ ...file('a'), mode: 0o600 }, link('b', 'a'), file('a'), link('c', 'b')],
    ['file 600 b', 'link 600 c b', 'file 644 a'],
  ],
  'a file added twice, as tar does it, is a hard link to itself': [
    [file('a'), link('a', 'a')],
    ['file 644 a'],
  ],
  'a hard link to a symbolic link is such a link': [
    [symlink('a', 'x'), link('b', 'a')],
    ['symlink 644 a x', 'symlink 644 b x'],
  ],
  'folders for everybody stay so when the layer does not name them': [
    [file('tmp/a')],
    ['directory 1777 tmp/', 'file 644 tmp/a'],
  ],
  'an archive of nothing is a layer': [[], []],
};

for (const [title, [layer, expected]] of Object.entries(meanings))
  test(title, async (t) => {
    t.deepEqual((await translate(layer)).toSorted(), expected.toSorted());
  });

const joins: Readonly<Record<string, readonly [readonly (readonly TarSource[])[], readonly string[]]>> = {
  'a path through a link of a lower layer leads where the link does': [
    [[symlink('lib', 'usr/lib'), folder('usr/lib'), file('usr/lib/a')], [file('lib/b')]],
    [
      'symlink 644 lib usr/lib',
      'directory 755 usr/',
      'directory 755 usr/lib/',
      'file 644 usr/lib/a',
      'file 644 usr/lib/b',
    ],
  ],
  'a folder in the place of a link of a lower layer is a folder': [
    [
      [symlink('lib', 'usr/lib'), file('usr/lib/a')],
      [folder('lib'), file('lib/b')],
    ],
    [
      'directory 755 lib/',
      'directory 755 usr/',
      'directory 755 usr/lib/',
      'file 644 lib/b',
      'file 644 usr/lib/a',
    ],
  ],
  'a hard link to a file of a lower layer is one, also when that name goes away': [
    [[{ ...file('a'), mode: 0o600 }, file('b')], [link('c', 'a')], [file('.wh.a')]],
    ['file 600 c', 'file 644 b'],
  ],
  'a file keeps what its name was given last': [
    [[{ ...file('a'), mode: 0o600 }], [{ ...file('a'), mode: 0o4755 }]],
    ['file 4755 a'],
  ],
  'what is removed leaves nothing, and what its own layer brings stays': [
    [
      [file('a/b'), file('a/c/d'), file('e')],
      [file('a/f'), file('.wh.a'), file('.wh.e'), file('.wh.none')],
    ],
    ['directory 755 a/', 'file 644 a/f'],
  ],
  'an opaque folder loses what lower layers have in it, at any depth': [
    [
      [file('a/b/c'), file('a/d'), file('e')],
      [file('a/b/f'), file('a/.wh..wh..opq')],
    ],
    ['directory 755 a/', 'directory 755 a/b/', 'file 644 a/b/f', 'file 644 e'],
  ],
  'an opaque root hides all layers below': [
    [
      [file('a'), folder('b'), file('b/c')],
      [file('.wh..wh..opq'), file('b/d')],
    ],
    ['directory 755 b/', 'file 644 b/d'],
  ],
  'a file made again after its removal is there': [
    [[file('a')], [file('.wh.a')], [{ ...file('a'), mode: 0o755 }]],
    ['file 755 a'],
  ],
  'a layer that comes twice brings back what one between them has removed': [
    [[file('a')], [file('.wh.a')], [file('a')]],
    ['file 644 a'],
  ],
};

for (const [title, [layers, expected]] of Object.entries(joins))
  test(`of an image's layers: ${title}`, async (t) => {
    const entries = await readAll(layersAsOne(layers.map((layer) => () => writeTar(layer))));

    t.deepEqual(linesOf(entries).toSorted(), expected.toSorted());
  });

test('the content of joined layers is that of the file that stays', async (t) => {
  const text = (path: string, content: string) => ({
    ...file(path),
    size: content.length,
    content: Buffer.from(content),
  });
  const layers = [
    [text('a', 'low'), text('b', 'kept')],
    [text('a', 'high'), link('c', 'b')],
  ];
  const found: Record<string, string> = {};

  for await (const { entry, content } of readTar(layersAsOne(layers.map((layer) => () => writeTar(layer)))))
    found[`${entry.path} ${entry.target}`.trim()] = (await buffer(content)).toString();

  t.deepEqual(found, { a: 'high', b: 'kept', 'c b': '' });
});

test('limits count for all layers of an image together', async (t) => {
  const layers = [[file('a')], [file('b')]].map((layer) => () => writeTar(layer));
  const limits = { entries: 1, bytes: 1, textBytes: 100 };

  await t.throwsAsync(lossesOf(layers, limits), { message: /too large/ });
});

test('file capabilities and user attributes stay byte by byte, and none that overlayfs would obey', async (t) => {
  const attributes = {
    'security.capability': '\u0001\0\0\u0002\u0080 \0\0=\n\u00ff\u00c3',
    'user.origin': 'here',
    'trusted.overlay.redirect': '/etc',
    'security.selinux': 'x',
  };
  const layer = [{ ...file(`${'long/'.repeat(60)}newuidmap`), attributes }, file('next')];

  const entries = await readAll(layerForOverlay(() => writeTar(layer)));

  const { 'trusted.overlay.redirect': redirect, 'security.selinux': selinux, ...kept } = attributes;
  t.deepEqual(entries.find(({ path }) => path === layer[0]?.path)?.attributes, kept);
  t.is(entries.at(-1)?.path, 'next');
});

test('what cannot be kept is counted', async (t) => {
  const layer: readonly TarSource[] = [
    { ...blank, path: 'dev/null', type: 'character-device' },
    { ...blank, path: 'opt/disk', type: 'block-device' },
    { ...file('a'), attributes: { 'system.posix_acl_access': 'x', 'user.kept': 'y' } },
  ];

  t.deepEqual(await lossesOf([() => writeTar(layer)]), {
    devices: 1,
    attributes: ['system.posix_acl_access'],
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
  'a folder that is called as a whiteout': [file('.wh.a/b')],
  'links that lead round': [symlink('a', 'b'), symlink('b', '/a'), file('a/c')],
  'an attribute too large to keep': [{ ...file('a'), attributes: { 'user.a': 'x'.repeat(65_537) } }],
  'a path that leads upwards': [file('a/../../b')],
  'a path with a zero byte': [file(`a\0b/${'c'.repeat(120)}`)],
  'a name longer than a file system takes': [file('ä'.repeat(128))],
  'an entry below a file': [file('a'), file('a/b')],
  'a hard link to the outside': [link('a', '../../etc/shadow')],
  'a hard link to what is not there': [link('a', 'b')],
  'a hard link to itself': [link('a', 'a')],
  'a symbolic link to nothing': [{ ...blank, path: 'a', type: 'symlink' }],
  'a whiteout of no name': [file('.wh.')],
  'a whiteout of the folder above': [file('a/.wh...')],
  'an opaque root': [file('.wh..wh..opq')],
  'a root that is a file': [file('.')],
};

for (const [title, layer] of Object.entries(refusals)) {
  test(`${title} is refused`, async (t) => {
    const error = await t.throwsAsync(translate(layer), { instanceOf: EngineError });

    t.is(error?.code, 'BLOB_CORRUPT');
  });
}

test('a layer beyond the limits is refused', async (t) => {
  const layer = [file('aa'), { ...file('bb'), size: 3, content: Buffer.from('abc') }, file('cc')];
  const limits = { entries: 3, bytes: 3, textBytes: 6 };

  await t.notThrowsAsync(translate(layer, limits));
  for (const narrow of [{ entries: 2 }, { bytes: 2 }, { textBytes: 5 }])
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
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), fc.nat(8), async (layer, end) => {
      const parts = [layer.slice(0, end), layer.slice(end)].map((part) => () => writeTar(part));
      const made = end === 0 ? layerForOverlay(() => writeTar(layer)) : layersAsOne(parts);
      const entries = await readAll(made).catch((error: unknown) => {
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
      const error = await readAll(layerForOverlay(() => Readable.from([bytes]))).then(
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
  return linesOf(await readAll(layerForOverlay(() => writeTar(layer), limits)));
}

function linesOf(entries: readonly TarEntry[]): readonly string[] {
  return entries.map(({ type, mode, path, target, attributes }) =>
    [
      ...[type, mode.toString(8), path, ...(target === '' ? [] : [target])],
      ...(attributes['trusted.overlay.opaque'] === 'y' ? ['opaque'] : []),
    ].join(' '),
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
