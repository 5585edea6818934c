import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { claimOne } from '../../../engine/drivers/qemu/claim.ts';
import type { EngineError } from '../../../engine/errors.ts';
import { currentProcess } from '../../../engine/process-identity.ts';

const patience = { timeoutMs: 5000 };

test('each command gets a socket of its own, and a released one is given again', async (t) => {
  const sockets = await openSockets(t, 2);

  const first = await claimOne(sockets, patience);
  const second = await claimOne(sockets, patience);
  await first.release();
  const third = await claimOne(sockets, patience);

  t.not(first.socket, second.socket);
  t.is(third.socket, first.socket);
});

test('when all sockets are taken the caller is told', async (t) => {
  const sockets = await openSockets(t, 1);
  await claimOne(sockets, patience);

  const error = await t.throwsAsync<EngineError>(claimOne(sockets, { timeoutMs: 50 }));

  t.is(error?.code, 'INSTANCE_SILENT');
  t.regex(error?.message ?? '', /1 commands run in the instance already/);
});

test('the claim of a dead process is taken over, by one of many', async (t) => {
  const sockets = await openSockets(t, 1);
  const dead = { ...currentProcess(), startTicks: 1 };
  await writeFile(`${sockets[0]}.claim`, JSON.stringify(dead));

  const claims = await Promise.allSettled(
    Array.from({ length: 8 }, () => claimOne(sockets, { timeoutMs: 300 })),
  );

  t.is(claims.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('nothing but the claim stays behind', async (t) => {
  const sockets = await openSockets(t, 1);

  const claim = await claimOne(sockets, patience);
  const held = await readdir(join(sockets[0] ?? '', '..'));
  await claim.release();

  t.deepEqual(held, ['exec.1.sock.claim']);
  t.deepEqual(await readdir(join(sockets[0] ?? '', '..')), []);
});

test('an instance that does not run has no sockets', async (t) => {
  const error = await t.throwsAsync<EngineError>(claimOne(['/nowhere/exec.1.sock'], patience));

  t.is(error?.code, 'INSTANCE_SILENT');
});

async function openSockets(t: ExecutionContext, count: number): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-claim-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return Array.from({ length: count }, (_, index) => join(folder, `exec.${index + 1}.sock`));
}
