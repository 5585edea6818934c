import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { generateSecret, openSecretBox } from '../../engine/store/secrets.ts';
import { scratchFolder } from '../sample/context.ts';

const place = { deployment: 'a00000000001', name: 'parameter/password' };

test('a sealed secret is opened again, by another process too, and tells nothing by itself', (t) => {
  const file = join(scratchFolder(), 'home', 'key');

  const sealed = openSecretBox(file).seal(place, 'correct horse');

  t.false(sealed.includes('correct'));
  t.is(openSecretBox(file).open(place, sealed), 'correct horse');
  t.not(openSecretBox(file).seal(place, 'correct horse'), sealed);
});

test('the key file is made for its owner alone, whole, and with nothing left beside it', (t) => {
  const folder = scratchFolder();
  const file = join(folder, 'key');
  writeFileSync(`${file}.999999-1-00000000-dead-beef`, 'half a k');

  openSecretBox(file).seal(place, 'text');

  t.is(statSync(file).mode & 0o777, 0o600);
  t.is(readFileSync(file).length, 32);
  t.deepEqual(readdirSync(folder), ['key']);
});

test('a key that others can read is refused', (t) => {
  const file = join(scratchFolder(), 'key');
  openSecretBox(file).seal(place, 'text');
  chmodSync(file, 0o640);

  t.throws(() => openSecretBox(file).seal(place, 'text'), { code: 'SECRET_UNREADABLE' });
});

test('a key of another length, or a folder in its place, is refused', (t) => {
  const file = join(scratchFolder(), 'key');
  writeFileSync(file, 'short', { mode: 0o600 });

  t.throws(() => openSecretBox(file).seal(place, 'text'), { code: 'SECRET_UNREADABLE' });
  t.throws(() => openSecretBox(scratchFolder()).seal(place, 'text'), { code: 'SECRET_UNREADABLE' });
});

test('a secret is not opened by another key, in another place, or when it was altered', (t) => {
  const box = openSecretBox(join(scratchFolder(), 'key'));
  const sealed = box.seal(place, 'text');
  const other = openSecretBox(join(scratchFolder(), 'key'));
  const altered = Buffer.from(sealed, 'base64');
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;

  for (const open of [
    () => other.open(place, sealed),
    () => box.open({ ...place, name: 'parameter/other' }, sealed),
    () => box.open({ ...place, deployment: 'b00000000001' }, sealed),
    () => box.open(place, altered.toString('base64')),
    () => box.open(place, ''),
  ]) {
    t.throws(open, { code: 'SECRET_UNREADABLE' });
  }
});

test('generated secrets are letters and digits, all of them about equally often', (t) => {
  const text = generateSecret(62_000);

  t.regex(text, /^[A-Za-z0-9]{62000}$/);
  const counts = Object.values(Object.groupBy([...text], (letter) => letter)).map((all) => all?.length ?? 0);
  t.is(counts.length, 62);
  t.true(Math.min(...counts) > 800 && Math.max(...counts) < 1200);
});

test('a keyed digest is the same for the same content and another for another deployment or key', (t) => {
  const box = openSecretBox(join(scratchFolder(), 'key'));
  const other = openSecretBox(join(scratchFolder(), 'key'));

  const digest = box.keyedDigest('one', 'content');

  t.is(box.keyedDigest('one', 'content'), digest);
  t.not(box.keyedDigest('two', 'content'), digest);
  t.not(other.keyedDigest('one', 'content'), digest);
});
