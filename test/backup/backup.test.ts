import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import test from 'ava';
import { backUp } from '../../engine/backup/back-up.ts';
import { copy } from '../../engine/backup/copy.ts';
import { restore } from '../../engine/backup/restore.ts';
import type { Opening, Sealing } from '../../engine/formats/age.ts';
import { blockBytes } from '../../engine/model/volume.ts';
import { down } from '../../engine/run/down.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { backupHouse, contentOf, enter } from './backup-house.ts';

const identity = await generateIdentity();
const sealing: Sealing = { kind: 'recipients', recipients: [await identityToRecipient(identity)] };
const opening: Opening = { kind: 'identities', identities: [identity] };
const shop = { owner: 'default', name: 'shop' };
const twin = { owner: 'default', name: 'twin', bases: [], opening, expose: {} };

test('a deployment comes out of its backup beside itself, with its data and secrets and other addresses', async (t) => {
  const house = await backupHouse();
  const file = join(house.home, 'shop.backup');

  const made = await backUp(enter(house), house.parts, { ...shop, file, sealing, withImages: false });
  await house.change('shop', (files) => files.write('base/entries', Buffer.from('later')));
  const seen = await restore(enter(house), house.parts, { ...twin, file });

  t.like(made, { file, files: 3, isEncrypted: true, hasImages: false });
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.is(seen.state, 'running');
  t.is((await house.files('twin')).content('base/entries')?.toString(), 'first entry\n');
  await house.change('shop', (files) => files.write('base/entries', Buffer.from('first entry\n')));
  const withoutTimes = (line: string): string => line.replace(/"mtime":"\d+"/, '');
  t.deepEqual(
    contentOf(await house.files('twin')).map(withoutTimes),
    contentOf(await house.files('shop')).map(withoutTimes),
  );
  const addresses = new Set(
    [...seen.instances, ...(await status(enter(house), 'default', 'shop')).instances].map(
      (one) => one.address,
    ),
  );
  t.is(addresses.size, 10);
  const things = await house.world.things();
  const passwords = things.flatMap((one) =>
    one.kind === 'instance' && one.key === 'db.1'
      ? [JSON.parse(one.files[0]?.content.toString() ?? '').secrets['parameter/dbPassword']]
      : [],
  );
  t.is(passwords.length, 2);
  t.is(passwords[0], passwords[1]);
  t.false((await readFile(file)).includes(passwords[0]));
  t.deepEqual(await readdir(house.parts.scratch), []);
  house.leave();
});

test('a second backup holds only what has changed, and is restored with the first', async (t) => {
  const house = await backupHouse();
  const [first, second, third] = ['1', '2', '3'].map((name) => join(house.home, name));
  if (!first || !second || !third) return t.fail();
  await house.change('shop', (files) => files.write('noise', noise(90 * blockBytes)));
  const request = { ...shop, sealing, withImages: false };

  const whole = await backUp(enter(house), house.parts, { ...request, file: first });
  await house.change('shop', (files) => {
    const content = Buffer.from(files.content('noise') ?? '');
    noise(blockBytes - 8).copy(content, 40 * blockBytes + 8);
    files.write('noise', content);
  });
  const part = await backUp(enter(house), house.parts, {
    ...request,
    file: second,
    base: { file: first, opening },
  });
  const none = await backUp(enter(house), house.parts, {
    ...request,
    file: third,
    base: { file: second, opening },
  });
  await t.throwsAsync(restore(enter(house), house.parts, { ...twin, file: third, bases: [second] }), {
    code: 'BACKUP_INCOMPLETE',
  });
  t.is((await house.store.deployments()).length, 1);
  await restore(enter(house), house.parts, { ...twin, file: third, bases: [first, second] });

  t.true(part.bytes / whole.bytes < 0.03, `${part.bytes} of ${whole.bytes}`);
  t.true(none.bytes / whole.bytes < 0.02, `${none.bytes} of ${whole.bytes}`);
  t.deepEqual(contentOf(await house.files('twin')), contentOf(await house.files('shop')));
  house.leave();
});

test('a backup that is damaged, cut off or locked is refused before anything is made', async (t) => {
  const house = await backupHouse();
  const file = join(house.home, 'shop.backup');
  const request = { ...shop, file, sealing, withImages: false };
  await backUp(enter(house), house.parts, request);
  const whole = await readFile(file);
  const things = await house.world.things();
  const refused = async (code: string, changes: Partial<Parameters<typeof restore>[2]> = {}) =>
    await t.throwsAsync(restore(enter(house), house.parts, { ...twin, file, ...changes }), { code });

  const { opening: _opening, ...withoutKey } = twin;
  await t.throwsAsync(restore(enter(house), house.parts, { ...withoutKey, file }), { code: 'BACKUP_LOCKED' });
  await refused('BACKUP_LOCKED', { opening: { kind: 'identities', identities: [await generateIdentity()] } });
  await refused('KEY_UNREADABLE', { opening: { kind: 'identities', identities: ['nonsense'] } });
  await refused('BACKUP_UNREADABLE', { file: join(house.home, 'none') });
  for (const place of [0.2, 0.5, 0.9]) {
    const damaged = Buffer.from(whole);
    const at = Math.floor(whole.length * place);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    await writeFile(file, damaged);
    await refused('BACKUP_UNREADABLE');
  }
  await writeFile(file, whole);
  await truncate(file, whole.length - 3000);
  await refused('BACKUP_UNREADABLE');
  await writeFile(file, 'nothing like it');
  await refused('BACKUP_UNREADABLE');

  t.deepEqual(await house.world.things(), things);
  t.is((await house.store.deployments()).length, 1);
  t.deepEqual(await readdir(house.parts.scratch), []);
  house.leave();
});

test('secrets are not written without encryption, and who does not run is not backed up', async (t) => {
  const house = await backupHouse();
  const file = join(house.home, 'shop.backup');

  await t.throwsAsync(backUp(enter(house), house.parts, { ...shop, file, withImages: false }), {
    code: 'INPUT_REFUSED',
    message: /must be encrypted/,
  });
  await down(enter(house), { ...shop, data: 'keep' });
  await t.throwsAsync(backUp(enter(house), house.parts, { ...shop, file, sealing, withImages: false }), {
    code: 'INPUT_REFUSED',
    message: 'shop is kept',
  });
  await t.throwsAsync(
    backUp(enter(house), house.parts, { owner: 'default', name: 'none', file, withImages: false }),
    {
      code: 'DEPLOYMENT_MISSING',
    },
  );

  t.false((await readdir(house.home)).some((name) => name.startsWith('shop.backup')));
  house.leave();
});

test('a name that is taken is left alone, and one that is half filled is started by nobody else', async (t) => {
  const house = await backupHouse();
  const file = join(house.home, 'shop.backup');
  await backUp(enter(house), house.parts, { ...shop, file, sealing, withImages: false });
  const blueprint = guestbook();

  await t.throwsAsync(restore(enter(house), house.parts, { ...twin, file, name: 'shop' }), {
    code: 'DEPLOYMENT_EXISTS',
  });
  const broken = house.enter({
    interfere: async (moment) => {
      if (moment === 'after apply volume db.1/data') throw new Error('the server is gone');
    },
  });
  await t.throwsAsync(restore(broken.context, house.parts, { ...twin, file }));
  await t.throwsAsync(
    up(enter(house), upRequest(blueprint, { name: 'twin' }), async () => sampleClosure(blueprint)),
    { code: 'OPERATION_INTERRUPTED' },
  );
  const half = await status(enter(house), 'default', 'twin');
  await restore(enter(house), house.parts, { ...twin, file });

  t.is(half.state, 'held');
  t.is((await status(enter(house), 'default', 'twin')).state, 'running');
  t.deepEqual(contentOf(await house.files('twin')), contentOf(await house.files('shop')));
  house.leave();
});

test('a copy has the data and secrets of the first, and both run side by side', async (t) => {
  const house = await backupHouse();

  const seen = await copy(enter(house), enter(house), house.parts, { ...shop, as: 'twin', expose: {} });
  await house.change('twin', (files) => files.write('base/entries', Buffer.from('its own')));

  t.is(seen.state, 'running');
  t.is((await house.files('shop')).content('base/entries')?.toString(), 'first entry\n');
  t.is((await status(enter(house), 'default', 'shop')).state, 'running');
  await t.throwsAsync(copy(enter(house), enter(house), house.parts, { ...shop, as: 'shop', expose: {} }), {
    code: 'DEPLOYMENT_EXISTS',
  });
  t.deepEqual(await readdir(house.parts.scratch), []);
  house.leave();
});

/** Makes bytes that no compressor makes fewer. */
function noise(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let state = 88_172_645_463_325_252n;
  for (let at = 0; at < count; at += 8) {
    state ^= (state << 13n) & 0xffff_ffff_ffff_ffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffff_ffff_ffff_ffffn;
    bytes.writeBigUInt64LE(state, at);
  }
  return bytes;
}
