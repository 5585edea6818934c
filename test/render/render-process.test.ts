import { spawnSync } from 'node:child_process';
import test from 'ava';
import {
  confinement,
  RenderProcessLost,
  startRenderProcess,
  withoutNetwork,
} from '../../engine/render/render-process.ts';

const ask = { template: '{{ properties.x }}', scope: { properties: { x: 'y' } }, limit: 100 };
const list = `{% set list = [${'1,'.repeat(2000)}1] %}`;
const endless = `${list}${'{% for a in list %}'.repeat(4)}${'{% endfor %}'.repeat(4)}`;
const signal = new AbortController().signal;

/** Runs a program as the rendering process is run; gives the error's code. */
function codeOf(program: string): string {
  const code = `try { ${program}; console.log('done') } catch (error) { console.log(error.code ?? error.name) }`;
  return spawnSync(process.execPath, [...confinement(64), '--eval', code], {
    encoding: 'utf8',
  }).stdout.trim();
}

test('a program in the place of the renderer reaches no files, programs, threads or libraries', (t) => {
  t.is(codeOf(`require('node:fs').readFileSync('/etc/passwd')`), 'ERR_ACCESS_DENIED');
  t.is(codeOf(`require('node:fs').writeFileSync('/tmp/sheaf-escape', 'x')`), 'ERR_ACCESS_DENIED');
  t.is(codeOf(`require('node:fs').readdirSync('/proc')`), 'ERR_ACCESS_DENIED');
  t.is(codeOf(`require('node:child_process').spawnSync('true')`), 'ERR_ACCESS_DENIED');
  t.is(codeOf(`new (require('node:worker_threads').Worker)('1', { eval: true })`), 'ERR_ACCESS_DENIED');
  t.is(codeOf(`process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6')`), 'ERR_DLOPEN_DISABLED');
  t.is(codeOf(`process.permission.has('fs.write') && exit()`), 'done');
});

test('a program in the place of the renderer has no network, where the system allows that', (t) => {
  const isAllowed = ['--net', '--user'].some(
    (kind) => spawnSync('unshare', [kind, '--net', 'true'], { encoding: 'utf8' }).status === 0,
  );
  const [program = '', ...args] = withoutNetwork('cat', '/proc/self/net/route', '/proc/self/net/if_inet6');

  const { stdout } = spawnSync(program, args, { encoding: 'utf8' });

  if (isAllowed)
    t.is(stdout.trim().split('\n').length, 1, stdout); // the heading
  else t.regex(stdout, /Iface/);
});

test('an object in the rendering process has no __proto__ to be changed', (t) => {
  t.is(codeOf(`if ('__proto__' in {}) throw new Error()`), 'done');
});

test('the process refuses an unsafe template by itself', async (t) => {
  const running = await startRenderProcess(64);

  const answer = await running.ask({ ...ask, template: '{{ properties.constructor }}' }, 30_000, signal);
  running.end();

  t.like(answer, { code: 'TEMPLATE_UNSAFE', line: 1, column: 15 });
});

test('a process that was ended says so', async (t) => {
  const running = await startRenderProcess(64);
  t.deepEqual(await running.ask(ask, 30_000, signal), { text: 'y' });

  running.end();

  await t.throwsAsync(running.ask(ask, 30_000, signal), { instanceOf: RenderProcessLost });
});

test('a process whose question is withdrawn is ended', async (t) => {
  const running = await startRenderProcess(64);
  const stop = new AbortController();

  const asking = running.ask({ ...ask, template: endless }, 30_000, stop.signal);
  stop.abort();

  await t.throwsAsync(asking, { instanceOf: RenderProcessLost });
  t.false(running.isAlive());
});
