import { PassThrough, Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import type { ExecRequest } from '../../../engine/drivers/driver.ts';
import { execute } from '../../../engine/drivers/qemu/exec.ts';
import type { EngineError } from '../../../engine/errors.ts';
import { type Behaviour, openFakeGuest, say } from './fake-guest.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('output and exit code of a command come through', async (t) => {
  const result = await run(t, ({ id, command }, socket) => {
    say(socket, { id, stdout: base64(`ran ${String(command)}`) });
    say(socket, { id, stderr: base64('a complaint') });
    say(socket, { id, ok: { exitCode: 7 } });
  });

  t.deepEqual(result, { code: 7, stdout: 'ran true', stderr: 'a complaint' });
});

test('input reaches the command, with its end', async (t) => {
  let heard = '';
  const result = await run(
    t,
    ({ id, op, stdin }, socket) => {
      if (op === 'exec') return;
      if (typeof stdin === 'string') heard += Buffer.from(stdin, 'base64').toString();
      else say(socket, { id, ok: { exitCode: 0 } });
    },
    { stdin: Readable.from(['x'.repeat(100_000), 'y']) },
  );

  t.is(result.code, 0);
  t.is(heard, `${'x'.repeat(100_000)}y`);
});

test('input that a command does not take waits at this end', async (t) => {
  const taken = 100_000;
  let heard = 0;
  let most = 0;
  let untaken = 0;
  const result = await run(
    t,
    ({ id, op, stdin }, socket) => {
      if (op === 'exec') return;
      if (typeof stdin !== 'string') return say(socket, { id, ok: { exitCode: 0 } });
      const { length } = Buffer.from(stdin, 'base64');
      heard += length;
      untaken += length;
      most = Math.max(most, untaken);
      if (untaken < taken) return;
      untaken -= taken;
      setImmediate(() => say(socket, { id, taken }));
    },
    { stdin: Readable.from([Buffer.alloc(3 * 2 ** 20)]) },
  );

  t.is(result.code, 0);
  t.is(heard, 3 * 2 ** 20);
  t.true(most <= 256 * 2 ** 10, `${most} bytes were on the way`);
});

test('a command that ends before its input does is not waited for', async (t) => {
  const endless = new PassThrough();

  const result = await run(t, ({ id }, socket) => say(socket, { id, ok: { exitCode: 0 } }), {
    stdin: endless,
  });

  t.is(result.code, 0);
  t.false(endless.destroyed);
});

for (const [what, answer, code] of [
  ['refuses the command', { error: { code: 'COMMAND_MISSING', message: 'no' } }, 'EXEC_FAILED'],
  ['gives an exit code that is none', { ok: { exitCode: 256 } }, 'INSTANCE_SILENT'],
  ['gives no exit code', { ok: {} }, 'INSTANCE_SILENT'],
] as const)
  test(`a guest that ${what} makes it fail`, async (t) => {
    const running = run(t, ({ id }, socket) => say(socket, { id, ...answer }));

    const error = await t.throwsAsync<EngineError>(running);

    t.is(error?.code, code);
  });

test('a guest that dies during a command is noticed', async (t) => {
  const error = await t.throwsAsync<EngineError>(run(t, (_, socket) => socket.destroy()));

  t.is(error?.code, 'INSTANCE_SILENT');
});

test('a command can be stopped', async (t) => {
  const stop = new AbortController();
  const running = run(t, () => stop.abort(), { signal: stop.signal });

  const error = await t.throwsAsync<EngineError>(running);

  t.is(error?.code, 'OPERATION_INTERRUPTED');
});

async function run(
  t: ExecutionContext,
  behave: Behaviour,
  changes: Partial<ExecRequest> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const guest = await openFakeGuest(behave);
  t.teardown(guest.close);
  const files = { folder: guest.folder, seed: '', qmp: '', control: '', exec: [guest.path], data: '' };
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const request = { instance: 'web.1', command: ['true'], stdout, stderr, signal, ...changes };
  const code = await execute(files, request);
  return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}
