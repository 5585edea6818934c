import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { type Digest, digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { writeTar } from '../../engine/formats/tar.ts';
import { findImported, type ImportRequest, importImage } from '../../engine/images/import-image.ts';
import type { Report } from '../../engine/model/event.ts';
import type { ImageFetcher } from '../../engine/model/image-fetcher.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type LayoutLayer, writeLayout } from './layout-of.ts';

const layerType = 'application/vnd.oci.image.layer.v1.tar';
const blank = { mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0, target: '', attributes: {} };
const [one, two, three] = await Promise.all(
  ['one', 'two', 'three'].map(async (path) => await buffer(writeTar([{ ...blank, path, type: 'file' }]))),
);
const layers = [
  { mediaType: `${layerType}+gzip`, content: gzipSync(one ?? ''), diffId: digestOf(one ?? '') },
  { mediaType: `${layerType}+zstd`, content: zstdCompressSync(two ?? ''), diffId: digestOf(two ?? '') },
  { mediaType: layerType, content: three ?? Buffer.of(), diffId: digestOf(three ?? '') },
];
const settings = {
  Entrypoint: ['/start'],
  Cmd: ['--all'],
  Env: ['A=b=c', 'PATH=/opt/bin'],
  User: '1000:10',
  WorkingDir: '/work',
  StopSignal: 'SIGQUIT',
  Volumes: { '/var/lib/x': {} },
  ExposedPorts: { '80/tcp': {} },
};

test('an image in a folder is taken by its own digest or that of its index', async (t) => {
  const { folder, index, manifest } = await layout(t);
  const context = await open(t);
  const byIndex = request(folder, `oci:./layout@${index}`);

  t.is(await findImported(byIndex, context), undefined);
  const image = await importImage(byIndex, context);

  t.is(image.manifest.digest, manifest);
  t.is(image.layers.length, 3);
  t.deepEqual(image.defaults, {
    command: ['/start', '--all'],
    environment: { A: 'b=c', PATH: '/opt/bin' },
    user: '1000:10',
    directory: '/work',
    stopSignal: 'QUIT',
    volumes: ['/var/lib/x'],
    ports: [{ port: 80, transport: 'tcp' }],
  });
  t.deepEqual(await findImported(byIndex, context), image);
  t.deepEqual(await importImage(request(folder, `${folder}/layout@${manifest}`), context), image);
});

test('an image at a registry is asked for by manifests and blobs, each once', async (t) => {
  const { folder, index } = await layout(t);
  const asked: string[] = [];
  const images: ImageFetcher = {
    open: async (repository, { kind, digest }) => {
      asked.push(`${repository} ${kind}`);
      return createReadStream(join(folder, 'layout/blobs/sha256', digest.slice('sha256:'.length)));
    },
  };
  const context = { ...(await open(t)), images };
  const remote = request('/nowhere', `oci://registry.example.com/team/x@${index}`);

  const image = await importImage(remote, context);
  await importImage(remote, context);

  t.deepEqual(await findImported(remote, context), image);
  const counts = asked.map((each) => each.split(' ')[1]);
  t.deepEqual([...new Set(asked.map((each) => each.split(' ')[0]))], ['registry.example.com/team/x']);
  t.deepEqual(counts.sort(), ['blob', 'blob', 'blob', 'blob', 'manifest', 'manifest']);
});

const damages: Readonly<Record<string, { code: string; change: (file: string) => Promise<void> }>> = {
  'other bytes': { code: 'BLOB_CORRUPT', change: async (file) => await writeFile(file, 'eins') },
  'more bytes than its size': {
    code: 'BLOB_CORRUPT',
    change: async (file) => await writeFile(file, 'x'.repeat(999)),
  },
  nothing: { code: 'IMAGE_MISSING', change: async (file) => await rm(file) },
};

for (const [title, { code, change }] of Object.entries(damages)) {
  test(`a layout with ${title} in the place of a layer is ${code}, and nothing of it is stored`, async (t) => {
    const { folder, index } = await layout(t);
    const digest = digestOf(layers[0]?.content ?? '');
    await change(join(folder, 'layout/blobs/sha256', digest.slice('sha256:'.length)));
    const context = await open(t);

    t.is(await codeOf(importImage(request(folder, `./layout@${index}`), context)), code);
    t.false(await context.blobs.has(digest));
  });
}

const unfit: Readonly<Record<string, { layer: Partial<LayoutLayer>; message: RegExp }>> = {
  'unpacks to another tar than its image names': {
    layer: { diffId: digestOf('other') },
    message: /another tar/,
  },
  'is no tar': { layer: { content: gzipSync('x'.repeat(1024)) }, message: /archive cannot be read/ },
  'is not packed as its type says': {
    layer: { content: Buffer.from('x') },
    message: /archive cannot be read/,
  },
  'is of a type that nobody knows': { layer: { mediaType: 'text/plain' }, message: /text\/plain/ },
};

for (const [title, { layer, message }] of Object.entries(unfit))
  test(`an image with a layer that ${title} is refused each time`, async (t) => {
    const folder = temporaryFolder(t);
    const [first] = layers;
    if (first === undefined) return t.fail();
    const { index } = await writeLayout(join(folder, 'layout'), [{ ...first, ...layer }], settings);
    const context = await open(t);
    const wanted = request(folder, `oci:layout@${index}`);

    for (const _ of [1, 2]) {
      const error = await failureOf(importImage(wanted, context));
      t.is(error?.code, 'BLOB_CORRUPT');
      t.regex(error?.message ?? '', message);
      t.is(await findImported(wanted, context), undefined);
    }
  });

test('a layer that is kept apart from its image is taken where it lies, and named where it does not', async (t) => {
  const folder = temporaryFolder(t);
  const [, , plain] = layers;
  if (plain === undefined) return t.fail();
  const layer = { ...plain, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar' };
  const { index } = await writeLayout(join(folder, 'layout'), [layer], settings);
  const wanted = request(folder, `oci:layout@${index}`);

  t.is((await importImage(wanted, await open(t))).layers.length, 1);
  await rm(join(folder, 'layout/blobs/sha256', digestOf(layer.content).slice('sha256:'.length)));
  const error = await failureOf(importImage(wanted, await open(t)));

  t.is(error?.code, 'IMAGE_MISSING');
  t.regex(error?.message ?? '', /not given away/);
});

test('what machines will not get of an image is told once', async (t) => {
  const folder = temporaryFolder(t);
  const tar = await buffer(
    writeTar([
      { ...blank, path: 'dev/null', type: 'character-device' },
      { ...blank, path: 'srv/disk', type: 'block-device' },
      { ...blank, path: 'a', type: 'file', attributes: { 'security.selinux': 'x' } },
    ]),
  );
  const layer = { mediaType: layerType, content: tar, diffId: digestOf(tar) };
  const { index } = await writeLayout(join(folder, 'layout'), [layer, layer], settings);
  const told: string[] = [];
  const report: Report = (event) => {
    if (event.type === 'warning') told.push(event.message);
  };

  await importImage(request(folder, `oci:layout@${index}`), { ...(await open(t)), report });

  t.deepEqual(told, [
    'x@1.0.0: its image holds 1 device node and extended attributes security.selinux, which machines do not get',
  ]);
});

test('an image for other machines, a reference without digest, and no registry are IMAGE_MISSING', async (t) => {
  const context = await open(t);
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestOf(''),
        size: 0,
        platform: { os: 'linux', architecture: 's390x' },
      },
    ],
  });
  const digest = await context.blobs.write(index);
  const refs = [`./here@${digest}`, './here', `host/name@sha256:${'0'.repeat(64)}`];

  const errors = await Promise.all(refs.map((ref) => failureOf(importImage(request('/', ref), context))));

  t.deepEqual(
    errors.map((error) => error?.code),
    refs.map(() => 'IMAGE_MISSING'),
  );
  t.regex(errors[0]?.hint ?? '', /linux\/s390x/);
});

async function layout(
  t: ExecutionContext,
): Promise<{ readonly folder: string; readonly index: Digest; readonly manifest: Digest }> {
  const folder = temporaryFolder(t);
  return { folder, ...(await writeLayout(join(folder, 'layout'), layers, settings)) };
}

function request(folder: string, ref: string): ImportRequest {
  return { subject: 'x@1.0.0', ref, folder };
}

async function open(t: ExecutionContext) {
  const home = temporaryFolder(t);
  const blobs = await openBlobs(join(home, 'blobs'), { temporary: join(home, 'drafts') });
  return {
    blobs,
    refs: { get: () => undefined, set: () => undefined },
    scratch: home,
    cache: home,
    signal: new AbortController().signal,
    report: () => undefined,
  };
}

async function codeOf(act: Promise<unknown>): Promise<string | undefined> {
  return (await failureOf(act))?.code;
}

async function failureOf(act: Promise<unknown>): Promise<EngineError | undefined> {
  return await act.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof EngineError) return error;
      throw error;
    },
  );
}
