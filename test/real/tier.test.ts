import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { findMachines } from '../../engine/drivers/qemu/find-machines.ts';
import { openStore } from '../../engine/store/store.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { type LoadReport, type SteadyLoad, startLoad } from './support/steady-load.ts';
import { checkout, testHome } from './support/test-home.ts';

// A tier of replicas behind a load balancer, of real machines: it grows and shrinks while it is used.

const name = 'tier';
const source = 'test/fixtures/tier';
const withinMs = 120_000;

test.before(async () => {
  await sheaf('down', name, '--delete-data', name);
});

test.after.always(async () => {
  await sheaf('down', name, '--delete-data', name);
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
