import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openTrade, type Trade } from './appliance-vendor.ts';
import type { CliRun } from './run-cli.ts';
import { violations } from './schemas.ts';

test('an assembly is published with two versions of one appliance, and used like an appliance', async (t) => {
  const trade = await openStall(t);
  writeAssembly(trade, 'street', '1.0.0', { left: 'hive@^1', right: 'bees@1.0.0' });

  const pulled = answerOf(t, await trade.user('pull', 'hive@^1', '-o', 'pulled.sheaf'));
  const packed = answerOf(t, await trade.user('pack', 'street', '-o', 'street.sheaf'));
  const inspected = answerOf(t, await trade.user('inspect', 'street.sheaf'));
  const found = answerOf(t, await trade.user('search', '--offers', 'http'));

  t.deepEqual(violations('inspect', inspected), []);
  t.like(inspected, { packs: 'assembly', digest: packed['digest'] });
  t.deepEqual(versionsOf(inspected), [
    'left hive 1.0.0',
    'left/new bees 1.1.0',
    'left/old bees 1.0.0',
    'right bees 1.0.0',
  ]);
  t.deepEqual(versionsOf(answerOf(t, await trade.user('inspect', 'pulled.sheaf'))), [
    'new bees 1.1.0',
    'old bees 1.0.0',
  ]);
  t.is(pulled['signedBy'], 'acme');
  t.like(
    (found['found'] as readonly Answer[]).find(({ name }) => name === 'hive'),
    { packs: 'assembly', terminals: [{ name: 'in', direction: 'in', protocol: 'http' }] },
  );
  const plan = await trade.user('plan', 'street.sheaf', '--as', 'street', '--insecure');
  t.like(JSON.parse(plan.stdout.trim().split('\n').at(-1) ?? '').error, { code: 'SOURCE_MISSING' });
});

for (const [kind, from, to] of [
  ['an appliance', 'bees-1.0.0', 'bees-1.1.0'],
  ['an assembly', 'hive', 'hive-next'],
] as const)
  test(`a delta of ${kind} and its base give the very bytes of the thick bundle`, async (t) => {
    const trade = await openStall(t);
    writeAssembly(trade, 'hive-next', '1.1.0', { old: 'bees@1.0.0', new: 'bees@1.1.0' }, 'hive');

    const pack = (...args: readonly string[]) => trade.user('pack', ...args).then((run) => answerOf(t, run));
    await pack(from, '-o', 'base.sheaf');
    const whole = await pack(to, '-o', 'whole.sheaf');
    const delta = await pack(to, '-o', 'delta.sheaf', '--delta-from', 'base.sheaf');
    await pack('delta.sheaf', '--base', 'base.sheaf', '-o', 'made.sheaf');
    const thin = await pack(to, '-o', 'thin.sheaf', '--thin');

    const [made, thick] = ['made', 'whole'].map((name) => readFileSync(join(trade.folder, `${name}.sheaf`)));
    t.true(made !== undefined && thick?.equals(made));
    t.deepEqual([delta['digest'], thin['digest']], [whole['digest'], whole['digest']]);
    t.true(Number(delta['bytes']) <= Number(whole['bytes']));
  });

type Answer = Readonly<Record<string, unknown>>;

/** A catalog with two versions of `bees` and an assembly that uses both. */
async function openStall(t: ExecutionContext): Promise<Trade> {
  const trade = await openTrade(t);
  for (const version of ['1.0.0', '1.1.0']) await trade.publish(version);
  writeAssembly(trade, 'hive', '1.0.0', { old: 'bees@1.0.0', new: 'bees@^1.1' });
  writeFileSync(
    join(trade.folder, 'vendor/sheaf/catalogs.yaml'),
    readFileSync(join(trade.folder, 'user/sheaf/catalogs.yaml')),
  );
  await trade.vendor('publish', 'hive', '--to', 'catalog', '--key', 'acme.key');
  return trade;
}

function writeAssembly(
  { folder }: Trade,
  place: string,
  version: string,
  uses: Readonly<Record<string, string>>,
  name = place,
): void {
  const path = join(folder, place);
  mkdirSync(path, { recursive: true });
  const appliances = Object.entries(uses).map(([key, range]) => `  ${key}: {uses: "${range}"}`);
  const [first = ''] = Object.keys(uses);
  writeFileSync(
    join(path, 'assembly.yaml'),
    [
      `apiVersion: sheaf/v1\nkind: Assembly\nname: ${name}\nversion: ${version}\nappliances:`,
      ...appliances,
      `terminals:\n  in: {inner: ${first}.in}\n`,
    ].join('\n'),
  );
}

function answerOf(t: ExecutionContext, { code, stdout, stderr }: CliRun): Answer {
  t.is(code, 0, stdout + stderr);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

function versionsOf(inspection: Answer): readonly string[] {
  const parts = inspection['appliances'] as readonly Readonly<Record<'path' | 'name' | 'version', string>>[];
  return parts.map(({ path, name, version }) => `${path} ${name} ${version}`);
}
