import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compile } from '../../engine/compile/compile.ts';
import { changedNames, lockOf, lockText } from '../../engine/compile/lock.ts';
import { checkSchema } from '../../engine/formats/schema.ts';
import { readSource } from '../../engine/read/read-source.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const body =
  'resources: {cpu: {default: 1}, memory: {default: 64MiB}}\nimage: {suite: bookworm, packages: []}\n';
const appliance = (version: string, more = '') =>
  `apiVersion: sheaf/v1\nkind: Appliance\nname: many\nversion: ${version}\n${more}${body}`;
const files = {
  'app/application.yaml':
    'apiVersion: sheaf/v1\nkind: Application\nname: app\nversion: 1.0.0\nappliances:\n  a: {uses: many@^1}\n  shop: {uses: shop@^1}\n',
  'catalog/shop/assembly.yaml':
    'apiVersion: sheaf/v1\nkind: Assembly\nname: shop\nversion: 1.0.0\nappliances:\n  b: {uses: many@^1}\n',
  'catalog/many/1.0.0/appliance.yaml': appliance('1.0.0'),
};

async function read(folder: string, update: readonly string[] = []) {
  return await readSource('app', { catalogs: ['catalog'], workingDirectory: folder, update });
}

function codes(source: Awaited<ReturnType<typeof read>>): readonly string[] {
  return compile(source, { set: {} }, () => []).problems.map(({ code }) => code);
}

test('a lock pins every path, and its text is one that its schema accepts', async (t) => {
  const lock = lockOf(await read(temporaryFolder(t, files)));

  t.deepEqual(
    Object.entries(lock.appliances).map(([path, { name, version }]) => `${path} ${name} ${version}`),
    ['a many 1.0.0', 'shop shop 1.0.0', 'shop/b many 1.0.0'],
  );
  t.deepEqual(checkSchema('lock', JSON.parse(lockText(lock))), []);
  t.deepEqual(changedNames(null, lock), ['many', 'shop']);
  t.deepEqual(changedNames(lock, lock), []);
});

test('a locked version stays until it is let go', async (t) => {
  const folder = temporaryFolder(t, files);
  const first = lockOf(await read(folder));
  writeFileSync(join(folder, 'app/sheaf.lock'), lockText(first));
  temporaryVersion(folder, '1.5.0');

  const kept = lockOf(await read(folder));
  const updated = lockOf(await read(folder, ['many']));

  t.deepEqual(kept, first);
  t.is(updated.appliances['a']?.version, '1.5.0');
  t.deepEqual(changedNames(kept, updated), ['many']);
});

test('an appliance that changed under its lock is refused until the lock is renewed', async (t) => {
  const folder = temporaryFolder(t, files);
  writeFileSync(join(folder, 'app/sheaf.lock'), lockText(lockOf(await read(folder))));
  t.deepEqual(codes(await read(folder)), []);

  writeFileSync(join(folder, 'catalog/many/1.0.0/appliance.yaml'), appliance('1.0.0', 'title: Changed\n'));

  t.deepEqual(codes(await read(folder)), ['LOCK_MISMATCH', 'LOCK_MISMATCH']);
  t.deepEqual(codes(await read(folder, ['many'])), []);
});

test('the kit and packages of a lock are kept as far as they are still used', async (t) => {
  const folder = temporaryFolder(t, files);
  const packages = { nginx: { version: '1', sha256: '0'.repeat(64) } };
  const platforms = { 'linux/amd64': { 'many@1.0.0': packages, 'gone@1.0.0': packages } };
  const kit = `sha256:${'1'.repeat(64)}` as const;
  writeFileSync(join(folder, 'app/sheaf.lock'), lockText(lockOf(await read(folder), { kit, platforms })));

  const again = lockOf(await read(folder));

  t.is(again.kit, kit);
  t.deepEqual(again.platforms, { 'linux/amd64': { 'many@1.0.0': packages } });
});

function temporaryVersion(folder: string, version: string): void {
  const source = join(folder, 'catalog/many/appliance.yaml');
  writeFileSync(source, appliance(version));
}
