import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { digestOf } from '../../engine/digest.ts';
import {
  type AttendantPlaces,
  attendantPinFile,
  findAttendant,
  rememberAttendant,
} from '../../engine/images/attendant.ts';
import { digestSources } from '../../engine/images/kit-programs.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { openStore } from '../../engine/store/store.ts';
import { temporaryFolder } from '../temporary-folder.ts';

test('the program that the checkout names is taken from wherever it came', async (t) => {
  const places = await openPlaces(t);
  await pin(places.sources, 'pinned');
  const before = await findAttendant(places);
  const digest = await places.blobs.write('pinned');

  const after = await findAttendant(places);

  t.is(before, undefined);
  t.like(after, { digest, size: 6 });
});

test('a program that was compiled here counts until the sources change', async (t) => {
  const places = await openPlaces(t);
  const digest = await places.blobs.write('compiled');
  await rememberAttendant(places.sources, { digest }, places.refs);

  const found = await findAttendant(places);
  await writeFile(join(places.sources, 'main.go'), 'package other');
  const foundLater = await findAttendant(places);

  t.is(found?.digest, digest);
  t.is(foundLater, undefined);
});

test('what the checkout says of other sources means nothing', async (t) => {
  const places = await openPlaces(t);
  await pin(places.sources, 'pinned');
  await places.blobs.write('pinned');
  await writeFile(join(places.sources, 'main.go'), 'package other');

  t.is(await findAttendant(places), undefined);
});

test('no program of a stored kit is taken for the attendant', async (t) => {
  const places = await openPlaces(t);
  const attendant = await places.blobs.write('hostile');
  const kit = await places.blobs.write(JSON.stringify({ kind: 'Kit', attendant: { digest: attendant } }));
  places.refs.set('kit/sha256:0', kit);

  t.is(await findAttendant(places), undefined);
});

type TestPlaces = AttendantPlaces & { readonly blobs: Awaited<ReturnType<typeof openBlobs>> };

async function openPlaces(t: ExecutionContext): Promise<TestPlaces> {
  const root = temporaryFolder(t);
  const sources = join(root, 'kit');
  await mkdir(sources);
  await writeFile(join(sources, 'main.go'), 'package main');
  const store = openStore(join(root, 'state.db'));
  t.teardown(() => store.close());
  const blobs = await openBlobs(join(root, 'blobs'), { temporary: join(root, 'drafts') });
  return { sources, blobs, refs: store.refs };
}

async function pin(sources: string, program: string): Promise<void> {
  const text = { sources: await digestSources(sources), program: digestOf(program), go: 'go1.19.8' };
  await writeFile(join(sources, attendantPinFile), JSON.stringify(text));
}
