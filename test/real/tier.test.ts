import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { findMachines } from '../../engine/drivers/qemu/find-machines.ts';
import { openStore } from '../../engine/store/store.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { startProgram } from './support/program.ts';
import { type LoadReport, type SteadyLoad, startLoad } from './support/steady-load.ts';
import { checkout, testHome } from './support/test-home.ts';

// A tier of replicas behind a load balancer, of real machines: it grows and shrinks while it is used.

const name = 'tier';
const source = 'test/fixtures/tier';
const withinMs = 120_000;
const folders: string[] = [];

test.before(async () => {
  await sheaf('down', name, '--delete-data', name);
});

test.after.always(async () => {
  await sheaf('down', name, '--delete-data', name);
  for (const folder of folders) await rm(dirname(folder), { recursive: true, force: true });
});

test.serial('a new replica is led to when it is healthy, by a load balancer that runs on', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'up', source, '--as', name);
  const before = await loadBalancer(t);
  const load = startLoad(await endpoint(t));

  const lines = (await done(t, 'scale', name, 'web=3', '--json')).trim().split('\n');
  const seen = await pagesOf(load, (pages) => pages.has('web.3 of 1.0.0'));
  const report = await load.stop();

  t.deepEqual(
    lines.flatMap((line) => violations('scale', JSON.parse(line))),
    [],
  );
  t.true(seen, 'the third one answers');
  t.is(await loadBalancer(t), before);
  t.deepEqual(report.failures, []);
  t.log(`${report.answered} answers, the slowest in ${Math.round(report.slowestMs)} ms`);
});

test.serial('replicas that go are left alone before they go, and find their data again', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'exec', name, 'web.3', '--', 'sh', '-c', 'echo third > /data/mark; sync');
  const before = await loadBalancer(t);
  const load = startLoad(await endpoint(t));

  await done(t, 'scale', name, 'web=1');
  const { failures } = await load.stop();
  const fewer = JSON.parse(await done(t, 'status', name, '--json'));
  await done(t, 'scale', name, 'web=3');

  t.deepEqual(failures, []);
  t.is(fewer.instances.length, 3);
  t.is(await done(t, 'exec', name, 'web.3', '--', 'cat', '/data/mark'), 'third\n');
  t.is(await loadBalancer(t), before);
});

test.serial('what ends behind our back is shown at once, and a watch brings it back', async (t) => {
  t.timeout(10 * 60_000);
  const id = await deploymentId();
  const [machine] = findMachines(id, 'web.2');
  if (machine) process.kill(machine.pid, 'SIGKILL');

  const seen = JSON.parse(await done(t, 'status', name, '--json'));
  const watch = startWatch();
  const isBack = await untilTrue(async () => {
    const now = JSON.parse(await done(t, 'status', name, '--json'));
    return now.state === 'running' && findMachines(id, 'web.2').length === 1;
  });
  watch.child.kill('SIGTERM');
  const [code] = await watch.end;

  t.is(seen.state, 'degraded');
  t.deepEqual(violations('status', seen), []);
  t.deepEqual(seen.drift, [{ kind: 'instance', key: 'web.2', what: 'ended' }]);
  t.true(isBack);
  t.is(code, 0);
  const lines = watch.lines();
  t.deepEqual(
    lines.flatMap((line) => violations('watch', line)),
    [],
  );
  t.is(lines[0]?.message, 'tier: instance web.2 is ended');
});

test.serial('an upgrade loses no request, and a rollback finds version and data as they were', async (t) => {
  t.timeout(10 * 60_000);
  await done(t, 'scale', name, 'web=2');
  await done(t, 'exec', name, 'web.1', '--', 'sh', '-c', 'echo old > /data/word; sync');
  const before = await loadBalancer(t);
  const second = await edition('1.1.0', '/');
  const plan = JSON.parse(await done(t, 'upgrade', name, second, '--plan', '--json'));
  const load = startLoad(await endpoint(t));

  const isKilled = await killedOnTheWay(['upgrade', name, second, '--yes', '--json']);
  const lines = isKilled
    ? (await done(t, 'upgrade', name, second, '--yes', '--json')).trim().split('\n')
    : [];
  const isNew = await pagesOf(load, (pages) => pages.has('web.2 of 1.1.0'));
  const report = await load.stop();
  const { previous } = JSON.parse(await done(t, 'status', name, '--json'));
  const migrated = await done(t, 'exec', name, 'web.1', '--', 'cat', '/data/word');
  const undecided = await sheaf('rollback', name);
  await done(t, 'rollback', name, '--discard-changes', name);

  t.deepEqual(violations('plan', plan), []);
  t.deepEqual(plan.restarts, ['web.1', 'web.2']);
  t.deepEqual(
    lines.flatMap((line) => violations('upgrade', JSON.parse(line))),
    [],
  );
  t.true(isNew, 'the new version answers');
  t.deepEqual(report.failures, []);
  t.log(`${report.answered} answers, the slowest in ${Math.round(report.slowestMs)} ms`);
  t.is(await loadBalancer(t), before);
  t.like(previous, { version: '1.0.0', hasData: true });
  t.is(migrated, 'old\nmigrated to 1.1.0\n');
  t.is(undecided.code, 8);
  t.is(await done(t, 'exec', name, 'web.1', '--', 'cat', '/data/word'), 'old\n');
});

test.serial(
  'a version that does not get healthy is left by itself, with the data as they were',
  async (t) => {
    t.timeout(10 * 60_000);
    const broken = await edition('1.2.0', '/nowhere');
    const load = startLoad(await endpoint(t));

    const run = await sheaf('upgrade', name, broken, '--yes', '--json', '--patience', '15s');
    const { failures, pages } = await load.stop();
    const seen = JSON.parse(await done(t, 'status', name, '--json'));

    const { error } = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '{}');
    t.is(run.code, 94, run.stderr);
    t.like(error, { code: 'UPGRADE_FAILED', details: { version: '1.2.0', is: '1.0.0' } });
    t.like(seen, { state: 'running', version: '1.0.0' });
    t.is(await done(t, 'exec', name, 'web.1', '--', 'cat', '/data/word'), 'old\n');
    // this page's server ends in the midst of an answer when it is stopped, but somebody is always there to be asked
    t.deepEqual(
      failures.filter((one) => one.startsWith('50')),
      [],
    );
    t.false([...pages.keys()].some((page) => page.includes('web.2 of 1.2.0')));
  },
);

/** Runs the program and kills it at some instant; false when it was done before. */
async function killedOnTheWay(args: readonly string[]): Promise<boolean> {
  const { child, ended } = startProgram(args);
  const instant = Math.random() * 15_000;
  const isDone = await Promise.race([ended.then(() => true), pause(instant).then(() => false)]);
  child.kill('SIGKILL');
  const { code } = await ended;
  return !(isDone && code === 0);
}

/** Writes another version of the application, whose machines are replaced and migrate their data. */
async function edition(version: string, healthPath: string): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), 'tier-')), 'tier');
  folders.push(folder);
  await cp(join(checkout, source), folder, { recursive: true });
  const change = async (file: string, edit: (text: string) => string): Promise<void> =>
    await writeFile(join(folder, file), edit(await readFile(join(folder, file), 'utf8')));
  await change('application.yaml', (text) => text.replace('version: 1.0.0', `version: ${version}`));
  const hook = `hooks: {migrate: {command: [/run/sheaf/bin/busybox, sh, -c, "echo migrated to ${version} >> /data/word"]}}`;
  await change('appliances/page/appliance.yaml', (text) =>
    text
      .replace('version: 1.0.0', `version: ${version}`)
      .replace('default: 24MiB', 'default: 28MiB')
      .replace('path: /}', `path: ${healthPath}}`)
      .concat(`${hook}\n`),
  );
  return folder;
}

function startWatch() {
  const home = ['--home', testHome, '--json'];
  const child = spawn(
    process.execPath,
    [join(checkout, 'cli/start.js'), 'watch', name, '--interval', '1s', ...home],
    {
      env: { ...process.env, XDG_CONFIG_HOME: join(testHome, 'config') },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const lines = (): readonly { readonly message?: string }[] =>
    output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  return { child, end: once(child, 'close'), lines };
}

async function deploymentId(): Promise<string> {
  const store = openStore(join(testHome, 'state.db'));
  const record = await store.deployment('default', name);
  store.close();
  return record?.id ?? '';
}

/** Tells which master process has been there since when. */
async function loadBalancer(t: ExecutionContext): Promise<string> {
  const script =
    'for p in /proc/[0-9]*; do read -r s < $p/stat; echo "$s"; done | grep "(haproxy)" | sort -n';
  const found = await done(t, 'exec', name, 'lb.1', '--', 'sh', '-c', script);
  const [master = ''] = found.split('\n');
  // pid and start time, the first and the 22nd of proc(5)
  return `${master.split(' ')[0]} ${master.split(' ')[21]}`;
}

async function endpoint(t: ExecutionContext): Promise<string> {
  return JSON.parse(await done(t, 'status', name, '--json')).endpoints[0].url;
}

async function pagesOf(load: SteadyLoad, isThere: (pages: LoadReport['pages']) => boolean): Promise<boolean> {
  return await untilTrue(async () => isThere(load.report().pages));
}

async function untilTrue(isSo: () => Promise<boolean>): Promise<boolean> {
  for (const begun = performance.now(); performance.now() - begun < withinMs; await pause(100))
    if (await isSo()) return true;
  return false;
}

async function done(t: ExecutionContext, ...args: readonly string[]): Promise<string> {
  const run = await sheaf(...args);
  t.is(run.code, 0, `${args.join(' ')}: ${run.stdout}${run.stderr}`);
  return run.stdout;
}

async function sheaf(...args: readonly string[]): Promise<CliRun> {
  const [verb = '', ...rest] = args;
  return await runCli([verb, '--home', testHome, ...rest], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
  });
}
