import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import type { Blobs } from '../../engine/model/blob.ts';
import { up } from '../../engine/run/up.ts';
import { backupState } from '../../engine/store/backup.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { type RestoreRequest, restoreState } from '../../engine/store/restore.ts';
import { openStore } from '../../engine/store/store.ts';
import { newHouse } from '../run/house.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { scratchFolder, upRequest } from '../sample/context.ts';

const signal = new AbortController().signal;

/** A house with one deployment, whose kit is really stored. */
async function inhabited() {
  const house = newHouse();
  const blobs = await openBlobs(join(house.home, 'blobs'), { temporary: join(house.home, 'drafts') });
  const part = await blobs.write('a part of the kit');
  const kit = await blobs.write(JSON.stringify({ kernel: { digest: part } }));
  await blobs.write('nobody needs this');
  const closure = { ...sampleClosure(guestbook()), kit };
  const secrets = new Map([['parameter/dbPassword', 'opensesame']]);
  await up(house.enter().context, upRequest(guestbook(), { secrets }), async () => closure);
  const file = join(scratchFolder(), 'backup.tar');
  const request = {
    database: join(house.home, 'state.db'),
    blobs,
    scratch: join(house.home, 'scratch'),
    file,
    at: 1,
    signal,
  };
  return { house, blobs, part, kit, file, request };
}

async function emptyHome(file: string): Promise<RestoreRequest & { readonly blobs: Blobs }> {
  const home = scratchFolder();
  return {
    file,
    database: join(home, 'state.db'),
    blobs: await openBlobs(join(home, 'blobs'), { temporary: join(home, 'drafts') }),
    keyFile: join(home, 'config/key'),
    scratch: join(home, 'scratch'),
    isReplacing: false,
    at: 2,
  };
}

test('what was backed up is restored: the records, and the blobs that they need, and no others', async (t) => {
  const { house, part, kit, file, request } = await inhabited();

  const answer = await backupState(request);
  const home = await emptyHome(file);
  const restored = await restoreState(home);

  t.like(answer, { blobs: 2, hasKey: false });
  t.is(statSync(file).mode & 0o777, 0o600);
  t.deepEqual(restored, { deployments: ['shop'], blobs: 2, hasKey: false, setAside: null });
  const store = openStore(home.database);
  t.deepEqual(await store.deployments(), await house.store.deployments());
  const id = (await store.deployments())[0]?.id ?? '';
  t.deepEqual(await store.inventory(id), await house.store.inventory(id));
  t.deepEqual(await store.secrets(id), await house.store.secrets(id));
  store.close();
  t.true((await home.blobs.has(part)) && (await home.blobs.has(kit)));
  t.false(await home.blobs.has(digestOf('nobody needs this')));
  house.leave();
});

test('a backup is of one moment, though others write meanwhile', async (t) => {
  const { house, request, file } = await inhabited();
  const writer = house.enter().context;
  const writing = up(writer, upRequest(guestbook({ replicas: 3 })), async () =>
    sampleClosure(guestbook({ replicas: 3 })),
  );

  await backupState(request);
  await writing;
  const home = await emptyHome(file);
  await restoreState(home);

  const store = openStore(home.database);
  t.is((await store.deployments()).length, 1);
  store.close();
  house.leave();
});

test('the key of the secrets goes along only when it is asked for, and never over another one', async (t) => {
  const { house, request, file } = await inhabited();
  const keyFile = join(house.home, 'key');
  const without = await backupState(request);
  const bare = readFileSync(file);
  const withKey = await backupState({ ...request, keyFile });
  const home = await emptyHome(file);

  const restored = await restoreState(home);
  const again = await restoreState({ ...home, isReplacing: true });

  t.deepEqual([without.hasKey, withKey.hasKey, restored.hasKey, again.hasKey], [false, true, true, false]);
  t.false(bare.includes(readFileSync(keyFile)));
  t.deepEqual(readFileSync(home.keyFile), readFileSync(keyFile));
  t.is(statSync(home.keyFile).mode & 0o777, 0o600);
  house.leave();
});

test('a state that holds deployments is not replaced unless that is asked for, and is set aside then', async (t) => {
  const { house, request, file } = await inhabited();
  await backupState(request);
  const home = await emptyHome(file);
  await restoreState(home);

  await t.throwsAsync(restoreState(home), { code: 'STATE_EXISTS' });
  const { setAside } = await restoreState({ ...home, isReplacing: true });

  const old = openStore(setAside ?? '');
  t.is((await old.deployments()).length, 1);
  old.close();
  house.leave();
});

test('a damaged backup is refused and changes no record, wherever the damage is', async (t) => {
  const { house, request, file } = await inhabited();
  await backupState(request);
  const whole = readFileSync(file);
  const home = await emptyHome(file);
  const tryWith = async (bytes: Buffer): Promise<string> => {
    writeFileSync(file, bytes);
    return await restoreState(home).then(
      () => 'restored',
      (error) => error.code,
    );
  };
  const marks = ['StateBackup', 'SQLite format 3', 'a part of the kit'];

  for (const mark of marks) {
    const bytes = Buffer.from(whole);
    bytes.write('X', whole.indexOf(mark) + 3);
    t.is(await tryWith(bytes), 'STATE_CORRUPT', mark);
  }
  for (const length of [0, 100, 512, 3000, Math.floor(whole.length / 2)])
    t.true(
      ['STATE_CORRUPT', 'BLOB_CORRUPT'].includes(await tryWith(whole.subarray(0, length))),
      String(length),
    );
  const renamed = Buffer.from(whole.toString('latin1').replace('state.db\0', '../../x\0\0'), 'latin1');
  t.not(await tryWith(renamed), 'restored');

  t.throws(() => statSync(home.database), { code: 'ENOENT' });
  house.leave();
});

test('a backup of a newer program is refused, in its form or in its records', async (t) => {
  const { house, request, file } = await inhabited();
  const database = new DatabaseSync(request.database);
  database.exec('PRAGMA user_version = 99');
  database.close();
  await backupState(request);
  const home = await emptyHome(file);

  await t.throwsAsync(restoreState(home), { code: 'STATE_NEWER' });
  writeFileSync(file, readFileSync(file, 'latin1').replace('"format":1', '"format":9'), 'latin1');
  await t.throwsAsync(restoreState(home), { code: 'STATE_NEWER' });

  t.throws(() => statSync(home.database), { code: 'ENOENT' });
  house.leave();
});
