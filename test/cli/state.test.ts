import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import test from 'ava';
import { runCli, temporaryFolder } from './run-cli.ts';
import { violations } from './schemas.ts';

const empty: readonly { readonly args: readonly string[]; readonly schema: string; readonly is?: object }[] =
  [
    { args: ['status'], schema: 'status-list', is: { deployments: [] } },
    { args: ['events'], schema: 'events', is: { events: [] } },
    { args: ['pool', 'list'], schema: 'pool-list' },
  ];

for (const { args, schema, is } of empty)
  test(`in a new home ${args.join(' ')} --json answers and fits its schema`, async (t) => {
    const run = await runCli([...args, '--json', '--home', await temporaryFolder(t)]);

    t.is(run.code, 0);
    const output = JSON.parse(run.stdout);
    t.deepEqual(violations(schema, output), []);
    if (is) t.deepEqual(output, is);
  });

const missing: readonly { readonly args: readonly string[]; readonly code: number }[] = [
  { args: ['status', 'shop'], code: 4 },
  { args: ['events', 'shop'], code: 4 },
  { args: ['logs', 'shop'], code: 4 },
  { args: ['exec', 'shop', 'web.1', '--', 'true'], code: 120 },
  { args: ['down', 'shop', '--keep-data'], code: 4 },
];

for (const { args, code } of missing)
  test(`a deployment that is not there is told so: ${args.join(' ')}`, async (t) => {
    const [verb = '', ...rest] = args;
    const run = await runCli([verb, '--json', ...rest]);

    t.is(run.code, code);
    const output = JSON.parse(run.stdout);
    t.deepEqual(violations('error', output), []);
    t.is(output.error.code, 'DEPLOYMENT_MISSING');
  });

test('a pool that is not there exits 10', async (t) => {
  const run = await runCli(['pool', 'show', 'moon', '--json']);

  t.is(run.code, 10);
  t.is(JSON.parse(run.stdout).error.code, 'POOL_MISSING');
});

test('a home given by SHEAF_HOME is used', async (t) => {
  const home = await temporaryFolder(t);

  const run = await runCli(['status'], { environment: { SHEAF_HOME: home } });

  t.is(run.code, 0);
  t.true((await readdir(home)).length > 0);
});

test('a verb that has ended leaves no folder of its process in the home', async (t) => {
  const home = await temporaryFolder(t);

  await runCli(['plan', 'applications/guestbook', '--as', 'book', '--home', home]);

  const left = await readdir(home, { recursive: true });
  t.true(left.includes('drafts'));
  t.deepEqual(
    left.filter((path) => /\/\d+-\d+-/.test(path)),
    [],
  );
});

test('state backup and state restore answer in their schema', async (t) => {
  const home = await temporaryFolder(t);
  const other = await temporaryFolder(t);
  const file = `${other}/backup.tar`;

  const backup = await runCli(['state', 'backup', file, '--json', '--home', home]);
  const restore = await runCli(['state', 'restore', file, '--json', '--home', `${other}/home`]);

  t.deepEqual([backup.code, restore.code], [0, 0], `${backup.stdout}${restore.stdout}`);
  t.deepEqual(violations('state', JSON.parse(backup.stdout)), []);
  t.deepEqual(violations('state', JSON.parse(restore.stdout)), []);
});

for (const [file, reason] of [
  ['/nonexistent/backup.tar', /\/nonexistent does not exist/],
  ['/proc/backup.tar', /\/proc takes no new files/],
] as const)
  test(`a backup for which there is no place is refused, and none is made: ${file}`, async (t) => {
    const run = await runCli(['state', 'backup', file, '--json', '--home', await temporaryFolder(t)]);

    const { error } = JSON.parse(run.stdout);
    t.is(error.code, 'FILE_UNUSABLE');
    t.regex(error.message, reason);
    t.false(existsSync('/nonexistent'));
  });

test('a backup that would take the place of a folder is refused, and leaves nothing', async (t) => {
  const home = await temporaryFolder(t);
  const place = await temporaryFolder(t);

  const run = await runCli(['state', 'backup', place, '--json', '--home', home]);

  t.is(run.code, 33);
  t.is(JSON.parse(run.stdout).error.message, `${place} is a folder, not a file`);
  t.deepEqual(await readdir(place), []);
});

test('prune answers in its schema, and in words', async (t) => {
  const home = await temporaryFolder(t);

  const json = await runCli(['prune', '--json', '--unused-for', '30d', '--home', home]);
  const text = await runCli(['prune', '--dry-run', '--home', home]);
  const wrong = await runCli(['prune', '--unused-for', 'ages', '--json', '--home', home]);

  t.is(json.code, 0, json.stdout);
  t.deepEqual(violations('prune', JSON.parse(json.stdout)), []);
  t.is(text.stdout, 'would remove 0 blobs and 0 disks: 0 B\n');
  t.is(wrong.code, 2);
});
