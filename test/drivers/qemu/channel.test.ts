import test from 'ava';
import { ask, openChannel, plainText } from '../../../engine/drivers/channel.ts';
import { unixSocket } from '../../../engine/drivers/qemu/unix-socket.ts';
import type { EngineError } from '../../../engine/errors.ts';
import { openFakeGuest, openFakeSocket, say } from './fake-guest.ts';

const patience = { timeoutMs: 5000 };
const shortPatience = { timeoutMs: 200 };

test('a request is answered by the guest', async (t) => {
  const guest = await openFakeGuest(({ id, op }, socket) => say(socket, { id, ok: { said: op } }));
  t.teardown(guest.close);

  const answer = await ask(unixSocket(guest.path), 'status', {}, patience);

  t.deepEqual(answer, { said: 'status' });
});

test('what an earlier client left unread is passed over', async (t) => {
  const guest = await openFakeSocket((socket) => {
    socket.write('half an answer\n{"id":1,"ok":{"said":"old"}}\n{"sync":"another"}\n');
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().split('\n').filter(Boolean)) {
        const message = JSON.parse(line);
        if ('sync' in message) say(socket, message);
        else say(socket, { id: message.id, ok: { said: 'new' } });
      }
    });
  });
  t.teardown(guest.close);

  const answer = await ask(unixSocket(guest.path), 'status', {}, patience);

  t.deepEqual(answer, { said: 'new' });
});

test('answers to other requests are passed over', async (t) => {
  const guest = await openFakeGuest(({ id }, socket) => {
    say(socket, { id: 77, ok: { said: 'other' } });
    say(socket, { id, ok: { said: 'ours' } });
  });
  t.teardown(guest.close);

  t.deepEqual(await ask(unixSocket(guest.path), 'status', {}, patience), { said: 'ours' });
});

test('a refusal of the guest carries its words in a form that is safe to show', async (t) => {
  const guest = await openFakeGuest(({ id }, socket) =>
    say(socket, { id, error: { code: 'FILE_MISSING', message: 'no\u001b[2J such\nfile' } }),
  );
  t.teardown(guest.close);

  const error = await t.throwsAsync<EngineError>(ask(unixSocket(guest.path), 'read', {}, patience));

  t.is(error?.code, 'EXEC_FAILED');
  t.is(error?.message, 'the instance refused: no\u{fffd}[2J such file');
});

test('a refusal that cannot be written as text is a refusal', async (t) => {
  const guest = await openFakeGuest(({ id }, socket) =>
    say(socket, { id, error: { code: { toString: 1 }, message: { toString: 1 } } }),
  );
  t.teardown(guest.close);

  const error = await t.throwsAsync<EngineError>(ask(unixSocket(guest.path), 'read', {}, patience));

  t.is(error?.code, 'EXEC_FAILED');
});

for (const [what, greet] of [
  ['says nothing', () => undefined],
  ['closes at once', (socket) => socket.end()],
  ['sends a line without end', (socket) => flood(socket, 'x'.repeat(65_536))],
  ['sends lines without end', (socket) => flood(socket, '{"id":1}\n'.repeat(5000))],
  ['sends bytes that are no text', (socket) => flood(socket, Buffer.alloc(65_536, 0xff))],
] as const satisfies readonly [string, Parameters<typeof openFakeSocket>[0]][])
  test(`a guest that ${what} counts as silent`, async (t) => {
    const guest = await openFakeSocket(greet);
    t.teardown(guest.close);

    const error = await t.throwsAsync<EngineError>(openChannel(unixSocket(guest.path), shortPatience));

    t.is(error?.code, 'INSTANCE_SILENT');
  });

for (const [what, answer] of [
  ['no object', 7],
  ['nothing', undefined],
  ['a list', []],
] as const)
  test(`a guest that answers with ${what} counts as silent`, async (t) => {
    const guest = await openFakeGuest(({ id }, socket) => say(socket, { id, ok: answer }));
    t.teardown(guest.close);

    const error = await t.throwsAsync<EngineError>(ask(unixSocket(guest.path), 'status', {}, patience));

    t.is(error?.code, 'INSTANCE_SILENT');
  });

test('a guest that does not run counts as silent', async (t) => {
  const error = await t.throwsAsync<EngineError>(
    ask(unixSocket('/nowhere/control.sock'), 'status', {}, patience),
  );

  t.is(error?.code, 'INSTANCE_SILENT');
});

test('a stopped conversation is told apart from a silent guest', async (t) => {
  const guest = await openFakeSocket(() => undefined);
  t.teardown(guest.close);
  const stop = new AbortController();

  const asking = ask(unixSocket(guest.path), 'status', {}, { timeoutMs: 5000, signal: stop.signal });
  setImmediate(() => stop.abort());
  const error = await t.throwsAsync<EngineError>(asking);

  t.is(error?.code, 'OPERATION_INTERRUPTED');
});

test('text of a guest is one line of at most 200 characters without anything invisible', (t) => {
  t.is(plainText('a\r\nb\u202e\u0007c'), 'a b\u{fffd}\u{fffd}c');
  t.is(plainText('y'.repeat(500)).length, 200);
});

function flood(socket: import('node:net').Socket, what: string | Buffer): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(what));
  };
  socket.on('drain', more);
  more();
}
