import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import pLimit from 'p-limit';
import { runCommand } from '../../engine/command.ts';
import { recordsImage } from '../../engine/drivers/docker/images.ts';
import { objectName } from '../../engine/drivers/docker/labels.ts';
import { openStore } from '../../engine/store/store.ts';
import { violations } from '../cli/schemas.ts';
import { startDockerEngine, type TestEngine } from './support/docker-engine.ts';
import { type OuterWorld, openOuterWorld, worldAddresses } from './support/outer-world.ts';
import { checkout, testHome, testKit } from './support/test-home.ts';

// Whole applications on a Docker Engine, by the program, with a world of servers and names around it.

const home = join(checkout, '.cache/test-docker');
const config = join(checkout, '.cache/test-docker-config');
const rounds = Number(process.env['SHEAF_KILL_ROUNDS'] ?? 3);
const [publicAddress, privateAddress] = worldAddresses;
const foreign = 'sheaf-foreign';
let world: OuterWorld;
let engine: TestEngine;

test.before(async (t) => {
  t.timeout(10 * 60_000);
  await testKit();
  await newHome();
  world = await openOuterWorld({
    'api.example.test': publicAddress,
    'inner.example.test': privateAddress,
    'near.example.test': privateAddress,
  });
  engine = await startDockerEngine({ enterNetwork: world.enterNetwork, names: publicAddress });
  await makeForeign();
});

test.after.always(async () => {
  await engine?.close();
  await world?.close();
  for (const folder of [home, config]) await rm(folder, { recursive: true, force: true });
});

test.serial('the guest book runs on a Docker Engine, grows, heals, and keeps its data', async (t) => {
  t.timeout(10 * 60_000);
  const up = lines(await done(t, 'up', 'applications/guestbook', '--as', 'g', '--pool', 'docker', '--json'));
  const status = JSON.parse(await done(t, 'status', 'g', '--json'));
  const { url } = status.endpoints[0];
  await page(url, ['-d', 'name=Ann&message=first'], 'entries');

  const peers = await done(t, 'exec', 'g', 'web.1', '--', 'getent', 'hosts', 'db');
  const strangers = await sheaf(
    'exec',
    'g',
    'lb.1',
    '--',
    'sh',
    '-c',
    'echo | /run/sheaf/bin/busybox nc -w 2 10.84.0.2 5432',
  );
  const log = await done(t, 'logs', 'g', 'edge.1');
  await done(t, 'scale', 'g', 'web=3');
  const id = await deploymentId('g');
  await engine.api.removeContainer(objectName(id, 'web.2'));
  const seen = JSON.parse(await done(t, 'status', 'g', '--json'));
  await done(t, 'repair', 'g');
  const healed = JSON.parse(await done(t, 'status', 'g', '--json'));
  await done(t, 'down', 'g', '--keep-data');
  const kept = await left();
  await done(t, 'up', 'applications/guestbook', '--as', 'g', '--pool', 'docker');
  const again = await page(JSON.parse(await done(t, 'status', 'g', '--json')).endpoints[0].url);
  await done(t, 'down', 'g', '--delete-data', 'g');

  t.deepEqual(
    up.flatMap((line) => violations('up', line)),
    [],
  );
  t.deepEqual(violations('status', status), []);
  t.is(status.state, 'running');
  t.regex(peers, /^10\.84\.\d+\.\d+ +db$/m);
  t.not(strangers.code, 0);
  t.regex(log, /-> lb\.1 /);
  t.deepEqual([seen.state, healed.state], ['degraded', 'running']);
  t.is(healed.instances.length, 6);
  t.deepEqual(kept, [`container ${objectName(id, 'records')}`, `volume ${objectName(id, 'db.1/data')}`]);
  t.regex(again, /first/);
  t.deepEqual(await left(), []);
});

test.serial('an egress leads to listed names and to nothing else', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'up', 'test/fixtures/outward', '--as', 'o', '--pool', 'docker');
  const curl = async (instance: string, target: string) =>
    (await sheaf('exec', 'o', instance, '--', 'curl', '-sS', '-m', '20', target)).output;

  const listed = await curl('a.1', 'http://api.example.test/x');
  const near = await curl('b.1', 'http://near.example.test/y');
  const inner = await curl('b.1', 'http://inner.example.test/');
  const other = await curl('b.1', 'http://api.example.test/');
  const direct = await sheaf('exec', 'o', 'a.1', '--', 'curl', '-sS', '-m', '3', `http://${publicAddress}/`);
  const log = await done(t, 'logs', 'o', 'out.world');
  await engine.restart(objectName(await deploymentId('o'), 'outlet'));
  const seen = JSON.parse(await done(t, 'status', 'o', '--json'));
  await done(t, 'repair', 'o');
  const again = await curl('a.1', 'http://api.example.test/z');
  await done(t, 'down', 'o', '--delete-data', 'o');

  t.is(listed, 'api.example.test was asked for /x\n');
  t.is(near, 'near.example.test was asked for /y\n');
  t.regex(inner, /private address/);
  t.notRegex(other, /was asked/);
  t.not(direct.code, 0);
  t.regex(log, /refused b\.1 -> inner\.example\.test:80: .*private address/);
  t.is(seen.state, 'degraded');
  t.is(again, 'api.example.test was asked for /z\n');
  t.deepEqual(await left(), []);
});

test.serial('a state that was deleted is made again of what the Engine has', async (t) => {
  t.timeout(5 * 60_000);
  await done(t, 'up', 'test/fixtures/pair', '--as', 'p', '--pool', 'docker');
  await done(t, 'exec', 'p', 'back.1', '--', 'sh', '-c', 'echo first > /data/mark');
  const before = JSON.parse(await done(t, 'status', 'p', '--json'));
  await newHome();

  const answer = JSON.parse(await done(t, 'adopt', 'docker', '--json'));
  const after = JSON.parse(await done(t, 'status', 'p', '--json'));
  const mark = await done(t, 'exec', 'p', 'back.1', '--', 'cat', '/data/mark');
  await done(t, 'down', 'p', '--delete-data', 'p');

  t.deepEqual(
    answer.adopted.map((one: { name: string }) => one.name),
    ['p'],
  );
  t.deepEqual(after, before);
  t.is(mark, 'first\n');
  t.deepEqual(await left(), []);
});

test.serial('up and down, killed at any instant, end right when they are run again', async (t) => {
  t.timeout(10 * 60_000);
  const up = ['up', 'test/fixtures/pair', '--as', 'k', '--pool', 'docker', '--json'];
  const down = ['down', 'k', '--delete-data', 'k', '--json'];
  const upTime = await timed(() => done(t, ...up));
  const downTime = await timed(() => done(t, ...down));

  for (let round = 0; round < rounds; round++) {
    const upKill = await killAfter(up, randomInt(Math.round(upTime * 1.1)));
    // half of them are not wanted any more
    if (round % 2 === 0)
      t.is(lines(await done(t, ...up)).at(-1)?.['state'], 'running', `up killed after ${upKill} ms`);
    const downKill = await killAfter(down, randomInt(Math.round(downTime * 1.1)));
    const again = await sheaf(...down);
    t.true([0, 4].includes(again.code ?? -1), `killed after ${upKill} and ${downKill} ms: ${again.output}`);
    t.deepEqual(await left(), [], `killed after ${upKill} and ${downKill} ms`);
  }
});

test.serial('what others have on the Engine was never touched', async (t) => {
  const containers = (await engine.api.containers([])).map(({ name }) => name);
  const networks = (await engine.api.networks([])).map(({ name }) => name);
  const volumes = (await engine.api.volumes([])).map(({ name }) => name);

  t.deepEqual(containers, [foreign]);
  t.true(networks.includes(foreign));
  t.deepEqual(volumes, [foreign]);
});

/** Makes things with names like ours that are not ours. */
async function makeForeign(): Promise<void> {
  const context = { api: engine.api, loading: pLimit(1) };
  await engine.api.createContainer(foreign, { Image: await recordsImage(context), Cmd: ['/never'] });
  await engine.api.createNetwork(foreign, { Driver: 'bridge' });
  await engine.api.createVolume(foreign, {});
}

/** Lists what is on the Engine and not the strangers'. */
async function left(): Promise<readonly string[]> {
  const containers = await engine.api.containers([]);
  const networks = await engine.api.networks([]);
  const volumes = await engine.api.volumes([]);
  return [
    ...containers.map(({ name }) => `container ${name}`),
    ...networks.map(({ name }) => `network ${name}`).filter((name) => name.includes('sheaf-')),
    ...volumes.map(({ name }) => `volume ${name}`),
  ]
    .filter((name) => !name.endsWith(foreign))
    .sort();
}

/** Makes a home with the images of all tests, and nothing recorded. The key of its secrets stays. */
async function newHome(): Promise<void> {
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true, mode: 0o700 });
  await runCommand('cp', ['-alT', '--', join(testHome, 'blobs'), join(home, 'blobs')]);
  openStore(join(home, 'state.db')).close();
  const database = new DatabaseSync(join(home, 'state.db'), { timeout: 15_000 });
  database.exec(
    `ATTACH '${join(testHome, 'state.db')}' AS old; INSERT OR REPLACE INTO refs SELECT * FROM old.refs`,
  );
  database.close();
}

async function deploymentId(name: string): Promise<string> {
  const store = openStore(join(home, 'state.db'));
  const record = await store.deployment('default', name);
  store.close();
  return record?.id ?? '';
}

async function page(url: string, options: readonly string[] = [], path = ''): Promise<string> {
  return await engine.onServer('curl', ['-sSL', '-m', '20', ...options, `${url}${path}`]);
}

type Run = { readonly code: number | null; readonly output: string };

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

async function sheaf(...args: readonly string[]): Promise<Run> {
  const { child, ended, output } = start(args);
  await ended;
  return { code: child.exitCode, output: await output };
}

async function done(t: ExecutionContext, ...args: readonly string[]): Promise<string> {
  const { code, output } = await sheaf(...args);
  t.is(code, 0, `${args.join(' ')}: ${output.slice(-2000)}`);
  return output;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Starts the program and kills it; it may have ended before. @returns the time of the kill, for messages */
async function killAfter(args: readonly string[], milliseconds: number): Promise<number> {
  const { child, ended } = start(args);
  await Promise.race([delay(milliseconds), ended]);
  child.kill('SIGKILL');
  await ended;
  return milliseconds;
}

function lines(output: string): readonly Readonly<Record<string, unknown>>[] {
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
