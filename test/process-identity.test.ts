import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { currentProcess, isAlive, processIdentity } from '../engine/process-identity.ts';

test('this process knows itself and is alive', (t) => {
  const identity = currentProcess();

  t.is(identity.pid, process.pid);
  t.true(identity.startTicks > 0);
  t.regex(identity.bootId, /^[0-9a-f-]{36}$/);
  t.true(isAlive(identity));
});

test('a process of the same number but another start or another boot is not the same', (t) => {
  const identity = currentProcess();

  t.false(isAlive({ ...identity, startTicks: identity.startTicks - 1 }));
  t.false(isAlive({ ...identity, bootId: 'another' }));
});

test('a process that ended is not alive', async (t) => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const identity = processIdentity(child.pid ?? 0);
  t.truthy(identity);

  child.kill('SIGKILL');
  await once(child, 'close');

  t.false(identity !== undefined && isAlive(identity));
  t.is(processIdentity(2 ** 30), undefined);
});
