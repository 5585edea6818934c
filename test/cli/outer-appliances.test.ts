import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openTrade, writeHive } from './appliance-vendor.ts';
import type { CliRun } from './run-cli.ts';

const problemsOf = ({ stdout }: CliRun): readonly Record<string, unknown>[] => JSON.parse(stdout).problems;
const codesOf = (run: CliRun) => problemsOf(run).map(({ code }) => code);

test('what no folder has comes from a catalog, once, and the lock keeps it when a newer one is there', async (t) => {
  const trade = await openTrade(t);
  await trade.publish('1.0.0');
  const hive = writeHive(trade.folder, '^1');

  const first = await trade.user('check', 'hive');
  await trade.user('lock', 'hive');
  await trade.publish('1.1.0');
  await trade.user('lock', 'hive');
  const kept = JSON.parse(readFileSync(join(hive, 'sheaf.lock'), 'utf8')).appliances.one;
  await trade.user('lock', 'hive', '--update', 'bees');
  const updated = JSON.parse(readFileSync(join(hive, 'sheaf.lock'), 'utf8')).appliances.one;
  const packed = await trade.user('pack', 'hive', '-o', 'hive.sheaf');

  t.is(first.code, 0, first.stdout);
  t.like([kept.version, updated.version], ['1.0.0', '1.1.0']);
  t.regex(kept.bundle, /^sha256:/);
  t.not(kept.bundle, updated.bundle);
  t.is(packed.code, 0, packed.stdout + packed.stderr);
});

test('lock and what was fetched suffice when the catalog is gone, and only then', async (t) => {
  const trade = await openTrade(t);
  await trade.publish('1.0.0');
  writeHive(trade.folder, '^1');
  await trade.user('lock', 'hive');
  await trade.user('pack', 'hive', '-o', 'first.sheaf');
  renameSync(join(trade.folder, 'catalog'), join(trade.folder, 'moved'));

  const checked = await trade.user('check', 'hive');
  const packed = await trade.user('pack', 'hive', '-o', 'second.sheaf');
  rmSync(join(trade.home, 'fetched'), { recursive: true });
  const lost = await trade.user('check', 'hive');

  t.is(checked.code, 0, checked.stdout);
  t.is(packed.code, 0, packed.stdout + packed.stderr);
  const [first, second] = ['first', 'second'].map((name) =>
    readFileSync(join(trade.folder, `${name}.sheaf`)),
  );
  t.true(second !== undefined && first?.equals(second));
  t.deepEqual(codesOf(lost), ['CATALOG_FAILED']);
});

test('a withdrawn version is passed over, is told of when it is locked, and why nothing is left', async (t) => {
  const trade = await openTrade(t);
  await trade.publish('1.0.0');
  await trade.publish('1.1.0');
  writeHive(trade.folder, '^1');
  await trade.user('lock', 'hive');
  const withdraw = (version: string) =>
    trade.vendor(
      'yank',
      `bees@${version}`,
      '--reason',
      'stings',
      '--catalog',
      'catalog',
      '--key',
      'acme.key',
    );

  await withdraw('1.1.0');
  await trade.user('search', 'bees');
  const locked = await trade.user('check', 'hive');
  await trade.user('lock', 'hive', '--update', 'bees');
  const passed = await trade.user('check', 'hive');
  await withdraw('1.0.0');
  const none = await trade.user('lock', 'hive', '--update', 'bees');

  t.deepEqual(codesOf(locked), ['VERSION_YANKED']);
  t.is(locked.code, 0);
  t.like(problemsOf(locked)[0], { line: 6, message: 'bees 1.1.0 was withdrawn: stings' });
  t.deepEqual(codesOf(passed), []);
  t.is(JSON.parse(none.stdout).error.code, 'INPUT_INVALID');
  t.like(JSON.parse(none.stdout).error.details.problems[0], {
    code: 'VERSION_UNSATISFIABLE',
    hint: `${join(trade.folder, 'catalog')} has 1.1.0 (withdrawn: stings), 1.0.0 (withdrawn: stings).`,
  });
});

test('what nobody trusted has signed is refused with its place, and not kept when it is taken all the same', async (t) => {
  const trade = await openTrade(t);
  await trade.publish('1.0.0');
  writeHive(trade.folder, '^1');
  rmSync(join(trade.folder, 'user/sheaf/trust.yaml'));

  const refused = await trade.user('check', 'hive');
  const taken = await trade.user('check', 'hive', '--insecure');
  const again = await trade.user('check', 'hive');

  t.like(problemsOf(refused), [{ code: 'CATALOG_FAILED', line: 6 }]);
  t.regex(String(problemsOf(refused)[0]?.['message']), /SIGNATURE_/);
  t.is(taken.code, 0, taken.stdout);
  t.regex(taken.stderr, /not checked, as --insecure says/);
  t.deepEqual(codesOf(again), ['CATALOG_FAILED']);
});
