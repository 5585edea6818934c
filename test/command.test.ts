import test from 'ava';
import { requireTools, runCommand, toolPath } from '../engine/command.ts';
import { EngineError } from '../engine/errors.ts';

test('a program gets its arguments as they are, its input and its environment', async (t) => {
  const output = await runCommand('sh', ['-c', 'cat; printf %s "$1 $WORD" >&2', 'sh', '$(id) *'], {
    input: 'in',
    environment: { WORD: 'out' },
  });

  t.deepEqual(output, { stdout: 'in', stderr: '$(id) * out' });
});

test('a program that is not installed is TOOL_MISSING and names its Debian package', async (t) => {
  const error = await t.throwsAsync(runCommand('no-such-program', []), { instanceOf: EngineError });

  t.is(error.code, 'TOOL_MISSING');
  t.deepEqual(error.details, { tool: 'no-such-program', package: 'no-such-program' });
});

test('a tool that another one cannot find is TOOL_MISSING too, but only one of ours', async (t) => {
  const run = (tool: string) => t.throwsAsync(runCommand('env', ['-i', 'PATH=/nonexistent', tool]));

  t.like(await run('mmdebstrap'), { code: 'TOOL_MISSING', details: { package: 'mmdebstrap' } });
  t.like(await run('no-such-program'), { code: 'TOOL_FAILED' });
});

test('all tools that are missing are told at once, with their packages', async (t) => {
  const error = await t.throwsAsync(requireTools(['sh', 'no-such-program', 'no-other-program']), {
    instanceOf: EngineError,
  });

  t.is(error.code, 'TOOL_MISSING');
  t.is(error.message, 'not installed: no-such-program, no-other-program');
  t.is(error.hint, 'Install the Debian packages no-such-program no-other-program.');
  await t.notThrowsAsync(requireTools(['sh', 'env']));
});

test('a program that fails is TOOL_FAILED with the end of what it said', async (t) => {
  const error = await t.throwsAsync(runCommand('sh', ['-c', 'echo reason >&2; exit 3']), {
    instanceOf: EngineError,
  });

  t.is(error.code, 'TOOL_FAILED');
  t.regex(error.message, /ended with 3: reason/);
});

test('a program that finds no room is DISK_FULL', async (t) => {
  const error = await t.throwsAsync(runCommand('sh', ['-c', 'cat /dev/zero > /dev/full']), {
    instanceOf: EngineError,
  });

  t.is(error.code, 'DISK_FULL');
});

test('a program that takes too long is ended', async (t) => {
  const error = await t.throwsAsync(runCommand('sleep', ['60'], { timeoutMs: 50 }), {
    instanceOf: EngineError,
  });

  t.is(error.code, 'TOOL_FAILED');
  t.regex(error.message, /after 50 ms/);
});

test('a program is ended when the caller wants to stop', async (t) => {
  const controller = new AbortController();
  const running = runCommand('sh', ['-c', 'echo begun; exec sleep 60'], {
    signal: controller.signal,
    onLine: () => controller.abort(),
  });

  const error = await t.throwsAsync(running, { instanceOf: EngineError });

  t.is(error.code, 'OPERATION_INTERRUPTED');
});

test('folders of npm packages are not searched for programs', (t) => {
  t.true((process.env['PATH'] ?? '').includes('node_modules/.bin'));
  t.false(toolPath().includes('node_modules/.bin'));
});
