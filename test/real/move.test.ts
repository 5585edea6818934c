import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../engine/command.ts';
import { openStore } from '../../engine/store/store.ts';
import { violations } from '../cli/schemas.ts';
import { startDockerEngine, type TestEngine } from './support/docker-engine.ts';
import { leftoversOf } from './support/leftovers.ts';
import { checkout, testHome, testKit } from './support/test-home.ts';

// A deployment with data goes from machines to containers and back, by the program.

const home = join(checkout, '.cache/test-move');
const config = join(checkout, '.cache/test-move-config');
const kills = Number(process.env['SHEAF_KILL_ROUNDS'] ?? 2);
const ids = new Set<string>();
let engine: TestEngine;

/** Names of every sort, a hole, links, a fifo, times and rights. */
const plant = `set -e; cd /data
mkdir -p "up loads/deep"; printf 'first' > index.html
head -c 3000000 /dev/urandom > "up loads/large"; printf 'x' > "$(printf 'up loads/\\303\\244 \\n\\377')"
ln "up loads/large" "up loads/again"; ln -s ../index.html "up loads/deep/link"
/run/sheaf/bin/busybox mkfifo "up loads/pipe"; /run/sheaf/bin/busybox truncate -s 4000000 hole
chmod 4750 "up loads/large"; chown 33:34 "up loads/deep"; touch -d '2001-02-03 04:05:06' "up loads/deep"; sync`;

/** Writes all that there is: contents by digest, kinds, rights, owners, links, times. */
const survey = `cd /data
find . -type f -exec sha256sum {} + | sort
find . ! -path './lost+found*' ! -type d -exec stat -c '%n %F %a %u %g %h %s' {} + | sort
find . ! -path './lost+found*' -type d -exec stat -c '%n %a %u %g' {} + | sort
find "./up loads" -exec stat -c '%n %Y' {} + | sort; readlink "up loads/deep/link"`;

test.before(async (t) => {
  t.timeout(10 * 60_000);
  await testKit();
  await newHome();
  engine = await startDockerEngine();
});

test.after.always(async () => {
  if (engine) await sheaf('undo', 'm', '--discard-changes', 'm');
  if (engine) await sheaf('down', 'm', '--delete-data', 'm');
  await engine?.close();
  for (const folder of [home, config]) await rm(folder, { recursive: true, force: true });
});

test.serial(
  'a deployment moves to containers and back, killed on its way, with every file as it was',
  async (t) => {
    t.timeout(12 * 60_000);
    await done(t, 'up', 'test/fixtures/pair', '--as', 'm');
    await noteIds();
    await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', plant);
    const planted = await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', survey);
    const before = JSON.parse(await done(t, 'status', 'm', '--json'));

    for (let round = 0; round < kills; round++) {
      const { child, ended } = start(['move', 'm', '--to', 'docker', '--json']);
      await Promise.race([delay(2000 + Math.random() * 12_000), ended]);
      child.kill('SIGKILL');
      await ended;
      await noteIds();
    }
    const lines = (await done(t, 'move', 'm', '--to', 'docker', '--json')).trim().split('\n');
    await noteIds();
    const there = JSON.parse(await done(t, 'status', 'm', '--json'));
    const arrived = await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', survey);
    const page = await engine.onServer('curl', ['-sS', '-m', '20', there.endpoints[0].url]);
    await done(
      t,
      'exec',
      'm',
      'back.1',
      '--',
      'sh',
      '-c',
      'echo second >> /data/index.html; rm "/data/up loads/again"; sync',
    );
    const changed = await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', survey);
    await done(t, 'undo', 'm');
    const back = JSON.parse(await done(t, 'status', 'm', '--json'));
    const returned = await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', survey);
    const again = await (await fetch(back.endpoints[0].url)).text();

    for (const line of lines) t.deepEqual(violations('move', JSON.parse(line)), []);
    t.is(arrived, planted);
    t.not(changed, planted);
    t.is(returned, changed);
    t.deepEqual([there.pool, there.state, there.move.phase], ['docker', 'running', 'waiting']);
    t.deepEqual([back.pool, back.state, back.move], ['local', 'running', undefined]);
    t.deepEqual([there.endpoints, back.endpoints], [before.endpoints, before.endpoints]);
    t.regex(page, /front of m/);
    t.regex(again, /front of m/);
    t.deepEqual(await engine.api.containers([]), []);
  },
);

test.serial('a move that is confirmed leaves nothing where it was', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'move', 'm', '--to', 'docker');
  const planted = await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', survey);
  await noteIds();

  await done(t, 'confirm', 'm');

  const here = [...ids];
  const [valid] = await recordedIds();
  t.deepEqual(
    await leftoversOf(
      home,
      here.filter((id) => id !== valid),
    ),
    [],
  );
  t.is(await done(t, 'exec', 'm', 'back.1', '--', 'sh', '-c', survey), planted);
  await done(t, 'down', 'm', '--delete-data', 'm');
  t.deepEqual(await engine.api.containers([]), []);
});

async function newHome(): Promise<void> {
  for (const folder of [home, config]) await rm(folder, { recursive: true, force: true });
  await mkdir(home, { recursive: true, mode: 0o700 });
  await runCommand('cp', ['-alT', '--', join(testHome, 'blobs'), join(home, 'blobs')]);
  openStore(join(home, 'state.db')).close();
  const database = new DatabaseSync(join(home, 'state.db'), { timeout: 15_000 });
  database.exec(
    `ATTACH '${join(testHome, 'state.db')}' AS old; INSERT OR REPLACE INTO refs SELECT * FROM old.refs`,
  );
  database.close();
}

async function recordedIds(): Promise<readonly string[]> {
  const store = openStore(join(home, 'state.db'));
  const records = await store.deployments();
  store.close();
  return records.map(({ id }) => id);
}

async function noteIds(): Promise<void> {
  for (const id of await recordedIds()) ids.add(id);
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [join(checkout, 'cli/start.js'), ...args], {
    cwd: checkout,
    env: {
      ...process.env,
      SHEAF_HOME: home,
      XDG_CONFIG_HOME: config,
      DOCKER_HOST: `unix://${engine.socket}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, ended: once(child, 'close'), output: text(child.stdout) };
}

async function sheaf(
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { child, ended, output } = start(args);
  await ended;
  return { code: child.exitCode, output: await output };
}

async function done(t: ExecutionContext, ...args: readonly string[]): Promise<string> {
  const { code, output } = await sheaf(...args);
  t.is(code, 0, `${args.join(' ')}: ${output.slice(-2000)}`);
  return output;
}
