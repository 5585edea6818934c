import { chmod, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { readTar } from '../../engine/formats/tar.ts';
import { buildContent, type ContentContext } from '../../engine/images/build-content.ts';
import type { EventBody } from '../../engine/model/event.ts';
import { listFolder } from '../../engine/read/list-folder.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';

test('content belongs to root and stands where it shall', async (t) => {
  const { context, folder } = await open(t);
  await chmod(join(folder, 'run.sh'), 0o700);
  await symlink('page.html', join(folder, 'index.html'));

  const layer = await buildContent({ ...request(folder), digest: await digestOf(folder) }, context);

  t.deepEqual(await describe(context, layer.digest), [
    'directory 755 0 srv/app/',
    'symlink 777 0 srv/app/index.html',
    'file 644 0 srv/app/page.html',
    'directory 755 0 srv/app/public/',
    'file 755 0 srv/app/run.sh',
  ]);
});

test('the same files give the same layer, whatever their times, owners and place', async (t) => {
  const [one, other] = [await open(t), await open(t)];
  await utimes(join(other.folder, 'page.html'), 1, 1);
  await chmod(join(other.folder, 'page.html'), 0o600);

  const layers = await Promise.all(
    [one, other].map(async ({ context, folder }) =>
      buildContent({ ...request(folder), digest: await digestOf(folder) }, context),
    ),
  );

  t.deepEqual(layers[0], layers[1]);
});

test('a file of the same length and other content has another time, so caches notice', async (t) => {
  const { context, folder } = await open(t);
  const times: number[] = [];

  for (const text of ['one', 'two']) {
    await writeFile(join(folder, 'page.html'), text);
    const layer = await buildContent({ ...request(folder), digest: await digestOf(folder) }, context);
    for await (const { entry } of readTar(context.blobs.open(layer.digest).pipe(createGunzip())))
      if (entry.path.endsWith('page.html')) times.push(entry.mtime);
  }

  t.is(times.length, 2);
  t.not(times[0], times[1]);
});

test('content that is stored is not packed again', async (t) => {
  const { context, events, folder } = await open(t);
  const digest = await digestOf(folder);
  const first = await buildContent({ ...request(folder), digest }, context);
  const before = await stat(context.blobs.path(first.digest));

  const second = await buildContent({ ...request(folder), digest }, context);

  t.deepEqual(second, first);
  t.is((await stat(context.blobs.path(first.digest))).ino, before.ino);
  t.like(events.at(-1), { type: 'build', state: 'cached' });
});

test('content whose layer was lost is packed again', async (t) => {
  const { context, folder } = await open(t);
  const digest = await digestOf(folder);
  const first = await buildContent({ ...request(folder), digest }, context);
  await rm(context.blobs.path(first.digest));

  t.deepEqual(await buildContent({ ...request(folder), digest }, context), first);
  t.true(await context.blobs.has(first.digest));
});

test('content that changed after it was checked is refused', async (t) => {
  const { context, folder } = await open(t);
  const digest = await digestOf(folder);
  await writeFile(join(folder, 'page.html'), 'other');

  const error = await t.throwsAsync(buildContent({ ...request(folder), digest }, context), {
    instanceOf: EngineError,
  });

  t.is(error?.code, 'IMAGE_FAILED');
  t.regex(error?.message ?? '', /changed/);
});

test('a name that would remove a file of the image is refused', async (t) => {
  const { context, folder } = await open(t);
  await writeFile(join(folder, 'public', '.wh.passwd'), '');

  const error = await t.throwsAsync(
    buildContent({ ...request(folder), digest: await digestOf(folder) }, context),
    { instanceOf: EngineError },
  );

  t.is(error?.code, 'IMAGE_FAILED');
  t.regex(error?.message ?? '', /\.wh\.passwd/);
});

function request(folder: string): { readonly name: string; readonly folder: string; readonly to: string } {
  return { name: 'web app', folder, to: '/srv/app' };
}

async function digestOf(folder: string): Promise<Digest> {
  const listing = await listFolder(folder);
  if ('code' in listing) throw new EngineError('INPUT_INVALID', listing.message);
  return listing.digest;
}

async function describe(context: ContentContext, digest: Digest): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { entry } of readTar(context.blobs.open(digest).pipe(createGunzip())))
    lines.push(`${entry.type} ${entry.mode.toString(8)} ${entry.uid + entry.gid} ${entry.path}`);
  return lines;
}

async function open(t: ExecutionContext): Promise<{
  readonly context: ContentContext;
  readonly events: readonly EventBody[];
  readonly folder: string;
}> {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-content-'));
  t.teardown(() => rm(home, { recursive: true }));
  const folder = join(home, 'app');
  await mkdir(join(folder, 'public'), { recursive: true });
  await writeFile(join(folder, 'page.html'), 'page');
  await writeFile(join(folder, 'run.sh'), '#!/bin/sh\n');
  const refs = new Map<string, Digest>();
  const events: EventBody[] = [];
  return {
    folder,
    events,
    context: {
      blobs: await openBlobs(join(home, 'blobs'), { temporary: join(home, 'unfinished') }),
      refs: { get: (name) => refs.get(name), set: (name, digest) => void refs.set(name, digest) },
      signal: new AbortController().signal,
      report: (event) => void events.push(event),
    },
  };
}
