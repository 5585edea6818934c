import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { up } from '../../engine/run/up.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { pruneBlobs } from '../../engine/store/prune-blobs.ts';
import { openStore } from '../../engine/store/store.ts';
import { newHouse } from '../run/house.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { scratchFolder, upRequest } from '../sample/context.ts';

const { signal } = new AbortController();

/** A house with a deployment whose kit is stored, an image that has a name, and something that nobody names. */
async function crowdedHouse() {
  const house = newHouse();
  const folder = join(house.home, 'blobs');
  const blobs = await openBlobs(folder, { temporary: join(house.home, 'drafts') });
  const part = await blobs.write('a part of the kit');
  const kit = await blobs.write(JSON.stringify({ kernel: { digest: part } }));
  const layer = await blobs.write('a layer');
  const manifest = await blobs.write(JSON.stringify({ layers: [{ digest: layer }] }));
  const rubbish = await blobs.write(JSON.stringify({ layers: [{ digest: part }, { digest: layer }] }));
  const closure = { ...sampleClosure(guestbook()), kit };
  await up(house.enter().context, upRequest(guestbook()), async () => closure);
  const database = join(house.home, 'state.db');
  const store = openStore(database);
  store.refs.set('image/of-tests', manifest);
  store.close();
  const request = { ...{ database, folder, scratch: scratchFolder(), isTrial: false, signal } };
  const stored = () => readdirSync(join(folder, 'sha256')).sort();
  const hexes = (...digests: readonly string[]) => digests.map((one) => one.slice('sha256:'.length)).sort();
  return { request, blobs, part, kit, layer, manifest, rubbish, stored, hexes, database };
}

const never = 0;
const always = Number.MAX_SAFE_INTEGER;

test('what nothing names goes; what a deployment or a name needs stays, through manifests', async (t) => {
  const { request, part, kit, layer, manifest, rubbish, stored, hexes } = await crowdedHouse();

  const trial = await pruneBlobs({ ...request, unnamedSince: always, isTrial: true });
  const afterTrial = stored();
  const pruned = await pruneBlobs({ ...request, unnamedSince: always });

  t.true(hexes(rubbish).every((name) => afterTrial.includes(name)));
  t.deepEqual(trial, pruned);
  t.true(pruned.count === 1 && pruned.bytes > 100);
  const left = stored();
  t.true(hexes(part, kit, layer, manifest).every((name) => left.includes(name)));
  t.false(hexes(rubbish).some((name) => left.includes(name)));
});

test('a name that nobody used since goes with what it names, but nothing that a deployment needs', async (t) => {
  const { request, part, kit, layer, manifest, stored, hexes, database } = await crowdedHouse();

  await pruneBlobs({ ...request, unnamedSince: always, unusedSince: always });

  const left = stored();
  t.true(hexes(part, kit).every((name) => left.includes(name)));
  t.false(hexes(layer, manifest).some((name) => left.includes(name)));
  const store = openStore(database);
  t.is(store.refs.get('image/of-tests'), undefined);
  store.close();
});

test('what was used of late stays, named or not', async (t) => {
  const { request, stored } = await crowdedHouse();
  const before = stored();

  const pruned = await pruneBlobs({ ...request, unnamedSince: never, unusedSince: never });

  t.deepEqual(pruned, { count: 0, bytes: 0 });
  t.deepEqual(stored(), before);
});

test('who asks for a blob marks it as used', async (t) => {
  const { request, blobs, rubbish } = await crowdedHouse();
  const { folder, scratch } = request;
  const laterMs = Date.now() + 3_600_000;
  const later = await openBlobs(folder, { temporary: scratch, clock: () => laterMs });

  const page = await blobs.write('a page');
  await later.has(rubbish);
  await later.write('a page');

  for (const digest of [rubbish, page]) t.is(statSync(blobs.path(digest)).mtimeMs, laterMs);
});

test('a plan that is not carried out to its end keeps what it names', async (t) => {
  const house = newHouse();
  const folder = join(house.home, 'blobs');
  const blobs = await openBlobs(folder, { temporary: join(house.home, 'drafts') });
  const kit = await blobs.write(JSON.stringify({ kind: 'Kit' }));
  const closure = { ...sampleClosure(guestbook()), kit };
  const stop = new AbortController();
  const inside = house.enter({
    interfere: async (moment) => {
      if (moment.startsWith('before ensure')) stop.abort();
    },
  });
  await t.throwsAsync(
    up({ ...inside.context, signal: stop.signal }, upRequest(guestbook()), async () => closure),
  );
  const database = join(house.home, 'state.db');

  await pruneBlobs({
    ...{ database, folder, scratch: scratchFolder(), unnamedSince: always, unusedSince: always },
    ...{ isTrial: false, signal },
  });

  t.true(await blobs.has(kit));
  t.is(digestOf(await blobs.read(kit)), kit);
});
