import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { testHome } from './support/test-home.ts';

// A database that is written to and a tree of odd files: backed up while they run, restored beside themselves, and copied.

const name = 'stock';
const source = 'test/fixtures/stock';
const folder = await mkdtemp(join(tmpdir(), 'sheaf-'));
const passphrase = join(folder, 'passphrase');
const psql = `setpriv --reuid=postgres --regid=postgres --init-groups psql -qAt -h /run/postgresql -d app`;
const tables = `SELECT count(*), md5(string_agg(v, ',' ORDER BY id)) FROM item`;
// folders give their names in any order
const tree = [
  'cd /data; {',
  'list() { find . -name .sheaf -prune -o -name lost+found -prune -o "$@"; }',
  "list -exec stat -c '%n|%F|%a|%u|%g|%Y|%h|%N' {} +",
  'list -type f -exec sha256sum {} +',
  "list -type f -exec stat -c '%n %s' {} +",
  '} | LC_ALL=C sort',
]
  .join('; ')
  .replace('{; ', '{ ');

test.before(async () => {
  await writeFile(passphrase, 'correct horse\n');
  for (const one of [name, 'second', 'twin']) await sheaf('down', one, '--delete-data', one);
});

test.after.always(async () => {
  for (const one of ['twin', 'second', name]) await sheaf('down', one, '--delete-data', one);
  await rm(folder, { recursive: true });
});

test.serial('a backup of what is being written to comes back beside it, whole', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'up', source, '--as', name, '--yes');
  await query(
    t,
    name,
    `CREATE TABLE item AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 30000) g; CREATE TABLE log (id int)`,
  );
  await shell(
    t,
    name,
    'box.1',
    [
      'cd /data; mkdir -p "a b/$(printf "n\\nl")" deep/er; umask 027; head -c 200000 /dev/urandom > deep/er/file; ln deep/er/file "a b/same"',
      'printf "odd" > "$(printf "\\377\\376")"; ln -s /etc/nowhere dangling; mkfifo pipe; chmod 4711 deep/er/file; chown 33:44 deep; chmod 2750 deep',
      'dd if=/dev/zero of=sparse bs=1 count=1 seek=3000000 2>/dev/null; touch -d "2001-02-03 04:05:06" sparse; sync',
    ].join('; '),
  );
  const items = await query(t, name, tables);
  const files = await shell(t, name, 'box.1', tree);
  const writing = sheaf(
    ...['exec', name, 'db.1', '--', 'sh', '-c'],
    `i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "INSERT INTO log VALUES ($i);"; sleep 0.05; done | ${psql}`,
  );

  const first = await backUp(t, 'first');
  await shell(
    t,
    name,
    'box.1',
    'echo changed >> /data/deep/er/file; touch -d "2002-02-03 04:05:06" /data/deep/er/file',
  );
  const second = await backUp(t, 'second', '--base', join(folder, 'first'));
  const restored = await done(
    t,
    ...['restore', join(folder, 'first'), '--as', 'second', '--passphrase-file', passphrase, '--json'],
  );
  await writing;

  const last = JSON.parse(restored.trim().split('\n').at(-1) ?? '');
  t.deepEqual(violations('restore', last), []);
  t.is(last.state, 'running');
  t.is(await query(t, 'second', tables), items);
  const [count, most] = (await query(t, 'second', 'SELECT count(*), coalesce(max(id), 0) FROM log'))
    .trim()
    .split('|');
  t.is(count, most);
  t.is(await shell(t, 'second', 'box.1', tree), files);
  t.true(second.bytes < first.bytes / 2, `${second.bytes} of ${first.bytes}`);
  t.is(await query(t, name, tables), items);
});

test.serial('a copy runs beside the first with identities of its own', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'down', 'second', '--delete-data', 'second');

  await done(t, 'copy', name, '--as', 'twin');

  const id = 'cat /etc/machine-id; cat /sys/class/net/*/address';
  t.not(await shell(t, 'twin', 'box.1', id), await shell(t, name, 'box.1', id));
  t.is(await query(t, 'twin', tables), await query(t, name, tables));
  t.is(await shell(t, 'twin', 'box.1', tree), await shell(t, name, 'box.1', tree));
});

async function backUp(
  t: ExecutionContext,
  file: string,
  ...more: readonly string[]
): Promise<{ readonly bytes: number }> {
  const text = await done(
    t,
    ...['backup', name, '-o', join(folder, file), '--passphrase-file', passphrase, '--json', ...more],
  );
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    lines.flatMap((line) => violations('backup', line)),
    [],
  );
  return lines.at(-1);
}

async function query(t: ExecutionContext, deployment: string, text: string): Promise<string> {
  return await shell(t, deployment, 'db.1', `${psql} -c "${text}"`);
}

async function shell(
  t: ExecutionContext,
  deployment: string,
  instance: string,
  script: string,
): Promise<string> {
  return await done(t, 'exec', deployment, instance, '--', 'sh', '-c', script);
}

async function done(t: ExecutionContext, ...args: readonly string[]): Promise<string> {
  const run = await sheaf(...args);
  t.is(run.code, 0, `${args.join(' ')}: ${run.stdout.slice(-2000)} ${run.stderr.slice(-2000)}`);
  return run.stdout;
}

async function sheaf(...args: readonly string[]): Promise<CliRun> {
  const at = args.indexOf('--');
  const own = at < 0 ? args : args.slice(0, at);
  const rest = at < 0 ? [] : args.slice(at);
  // one key of the secrets for all runs
  const environment = { XDG_CONFIG_HOME: join(folder, 'config') };
  return await runCli([...own, '--home', testHome, ...rest], { environment });
}
