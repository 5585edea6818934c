import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { readSettings } from '../../cli/settings.ts';
import { runCommand } from '../../engine/command.ts';
import { openStore } from '../../engine/store/store.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { leftoversOf } from './support/leftovers.ts';
import { checkout, testHome, testKit } from './support/test-home.ts';

// What becomes of a deployment of real machines when its host restarts, and when its state is lost.

const name = 'life';
const source = 'test/fixtures/pair';
const home = join(checkout, '.cache/test-life');
const config = join(checkout, '.cache/test-life-config');
const { runtime } = readSettings({}, { id: process.getuid?.() ?? 0, home: '/' }, home);
const ids: string[] = [];

test.before(async () => {
  await testKit();
  await sheaf('down', name, '--delete-data', name);
  await newHome();
});

test.after.always(async () => {
  await sheaf('adopt', 'local');
  await sheaf('down', name, '--delete-data', name);
  await rm(home, { recursive: true, force: true });
  await rm(config, { recursive: true, force: true });
});

test.serial('after a restart of the host status says so, and up --all brings everything back', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'up', source, '--as', name);
  await noteId();
  await done(t, 'exec', name, 'back.1', '--', 'sh', '-c', 'echo first > /data/mark; sync');
  const before = JSON.parse(await done(t, 'status', name, '--json'));
  await restartHost();

  const seen = JSON.parse(await done(t, 'status', name, '--json'));
  const lines = (await done(t, 'up', '--all', '--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const mark = await done(t, 'exec', name, 'back.1', '--', 'cat', '/data/mark');
  const after = JSON.parse(await done(t, 'status', name, '--json'));

  t.is(seen.state, 'stopped');
  t.regex(seen.reason, /restarted/);
  t.deepEqual(violations('status', seen), []);
  t.true(seen.instances.every((one: { ended?: { cause: string } }) => one.ended?.cause === 'restart'));
  t.deepEqual(
    lines.flatMap((line) => violations('up', line)),
    [],
  );
  t.deepEqual(lines.at(-1), { type: 'result', deployments: [{ name, owner: 'default', state: 'running' }] });
  t.is(mark, 'first\n');
  t.deepEqual(after, before);
  t.is(await (await fetch(after.endpoints[0].url)).text(), 'front of life, beside back.1\n');
});

test.serial('a machine that was killed while nobody watched is shown, with its end', async (t) => {
  const [pid] = processesOf('guest=sheaf-', 'front.1');
  process.kill(pid ?? 0, 'SIGKILL');

  const seen = await statusUntil(t, (one) => one.state === 'degraded');
  await done(t, 'up', '--as', name);
  const after = JSON.parse(await done(t, 'status', name, '--json'));

  const front = seen.instances.find((one) => one.name === 'front.1');
  t.is(front?.state, 'failed');
  t.is(front?.ended?.cause, 'died');
  t.true(Math.abs((front?.ended?.at ?? 0) - Date.now()) < 5 * 60_000);
  t.regex(seen.reason ?? '', /^front\.1: its machine (was )?ended/);
  t.is(after.state, 'running');
});

test.serial(
  'machines stop in good order with the host, records are put back, and all comes back',
  async (t) => {
    t.timeout(10 * 60_000);
    const backup = join(config, 'backup.tar');
    const before = JSON.parse(await done(t, 'status', name, '--json'));
    await done(t, 'state', 'backup', backup);

    await done(t, 'service', 'stop');
    const stopped = JSON.parse(await done(t, 'status', name, '--json'));
    await done(t, 'state', 'restore', backup, '--replace');
    await done(t, 'up', '--all');

    t.is(stopped.state, 'stopped');
    t.true(stopped.instances.every((one: { state: string }) => one.state === 'stopped'));
    t.is(await done(t, 'exec', name, 'back.1', '--', 'cat', '/data/mark'), 'first\n');
    t.deepEqual(JSON.parse(await done(t, 'status', name, '--json')), before);
  },
);

test.serial(
  'a state that was deleted is made again of the machines that run, which do not notice',
  async (t) => {
    t.timeout(10 * 60_000);
    await done(t, 'exec', name, 'back.1', '--', 'sh', '-c', 'echo second > /data/mark');
    const before = JSON.parse(await done(t, 'status', name, '--json'));
    const boots = await guestBoots(t);
    await rm(home, { recursive: true, force: true });
    const empty = JSON.parse(await done(t, 'status', '--json'));

    const answer = JSON.parse(await done(t, 'adopt', 'local', '--json'));
    const seen = JSON.parse(await done(t, 'status', name, '--json'));
    await done(t, 'exec', name, 'back.1', '--', 'sh', '-c', 'echo third >> /data/mark; sync');
    const isSaved = existsSync(join(home, 'qemu/deployments', ids[0] ?? '', 'volume', 'back.1%2Fdata.qcow2'));
    await newHome('beside'); // the kit and the images, which a user's `up` builds again
    await done(t, 'up', source, '--as', name);

    t.deepEqual(empty, { deployments: [] });
    t.deepEqual(violations('adopt', answer), []);
    t.deepEqual(
      answer.adopted.map((one: object) => ({ ...one, objects: 0 })),
      [
        {
          name,
          owner: 'default',
          application: 'pair',
          version: '1.0.0',
          objects: 0,
          losses: [],
          unreadableSecrets: [],
        },
      ],
    );
    // images that are not stored any more are missed, but nothing that runs is
    t.true(
      seen.instances.every(
        ({ state, healthy }: { state: string; healthy: boolean }) => state === 'running' && healthy,
      ),
    );
    t.deepEqual(seen.endpoints, before.endpoints);
    t.deepEqual(seen.wires, before.wires);
    t.true(isSaved);
    t.deepEqual(await guestBoots(t), boots, 'no machine was started again');
  },
);

test.serial('the data of the adopted deployment are those of the machine that ran', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'down', name, '--keep-data');
  await done(t, 'up', source, '--as', name);
  const mark = await done(t, 'exec', name, 'back.1', '--', 'cat', '/data/mark');
  await done(t, 'down', name, '--delete-data', name);

  t.is(mark, 'second\nthird\n');
  t.deepEqual(await leftoversOf(home, ids), []);
});

type Seen = {
  readonly state: string;
  readonly reason?: string;
  readonly instances: readonly {
    readonly name: string;
    readonly state: string;
    readonly ended?: { readonly cause: string; readonly at: number };
  }[];
};

async function sheaf(...args: readonly string[]): Promise<CliRun> {
  const [verb = '', ...rest] = args;
  return await runCli([verb, '--home', home, ...rest], { environment: { XDG_CONFIG_HOME: config } });
}

async function done(t: ExecutionContext, ...args: readonly string[]): Promise<string> {
  const run = await sheaf(...args);
  t.is(run.code, 0, `${args.join(' ')}\n${run.stdout.slice(-2000)}\n${run.stderr}`);
  return run.stdout;
}

/** Lays out a home with the kit and the images of the tests' home. @param how - `beside` keeps the state that is there */
async function newHome(how: 'anew' | 'beside' = 'anew'): Promise<void> {
  if (how === 'anew') await rm(home, { recursive: true, force: true });
  await mkdir(join(home, 'qemu'), { recursive: true, mode: 0o700 });
  await runCommand('cp', ['-alT', '--', join(testHome, 'blobs'), join(home, 'blobs')]);
  await copyFile(join(testHome, 'qemu/accelerator.json'), join(home, 'qemu/accelerator.json')).catch(
    () => undefined,
  );
  openStore(join(home, 'state.db')).close();
  const database = new DatabaseSync(join(home, 'state.db'), { timeout: 15_000 });
  database.exec(
    `ATTACH '${join(testHome, 'state.db')}' AS old; INSERT OR REPLACE INTO refs SELECT * FROM old.refs`,
  );
  database.close();
}

/** Does what a restart of the host does: no process, no namespace, an empty runtime folder, another boot id. */
async function restartHost(): Promise<void> {
  for (const pid of processesOf(ids[0] ?? '')) process.kill(pid, 'SIGKILL');
  for (let tries = 0; processesOf(ids[0] ?? '').length > 0 && tries < 100; tries++) await delay(50);
  await runCommand('ip', ['netns', 'delete', `sheaf-${ids[0]}`]);
  await rm(runtime, { recursive: true, force: true });
  const records = await readdir(join(home, 'qemu/deployments'), { recursive: true });
  for (const record of records.filter((path) => path.endsWith('.json'))) {
    const path = join(home, 'qemu/deployments', record);
    const text = await readFile(path, 'utf8');
    await writeFile(
      path,
      text.replaceAll(/"bootId":"[^"]*"/g, '"bootId":"11111111-2222-3333-4444-555555555555"'),
    );
  }
}

async function noteId(): Promise<void> {
  const store = openStore(join(home, 'state.db'));
  const record = await store.deployment('default', name);
  store.close();
  if (record) ids.push(record.id);
}

async function guestBoots(t: ExecutionContext): Promise<readonly string[]> {
  const boots: string[] = [];
  for (const instance of ['back.1', 'front.1'])
    boots.push(await done(t, 'exec', name, instance, '--', 'cat', '/proc/sys/kernel/random/boot_id'));
  return boots;
}

async function statusUntil(t: ExecutionContext, isIt: (seen: Seen) => boolean): Promise<Seen> {
  for (let tries = 0; ; tries++) {
    const seen: Seen = JSON.parse(await done(t, 'status', name, '--json'));
    if (isIt(seen) || tries === 20) return seen;
  }
}

function processesOf(...words: readonly string[]): readonly number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => words.every((word) => commandLine(pid).includes(word) && word !== ''))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}
