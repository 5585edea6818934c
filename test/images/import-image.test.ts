import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { type Digest, digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { findImported, type ImportRequest, importImage } from '../../engine/images/import-image.ts';
import type { ImageFetcher } from '../../engine/model/image-fetcher.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { writeLayout } from './layout-of.ts';

const layerType = 'application/vnd.oci.image.layer.v1.tar';
const layers = [
  { mediaType: `${layerType}+gzip`, content: gzipSync('one'), diffId: digestOf('one') },
  { mediaType: `${layerType}+zstd`, content: zstdCompressSync('two'), diffId: digestOf('two') },
  { mediaType: layerType, content: Buffer.from('three'), diffId: digestOf('three') },
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
