import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { openStore } from '../../engine/store/store.ts';
import { leftoversOf } from './support/leftovers.ts';
import { runProgram, startProgram } from './support/program.ts';
import { testHome } from './support/test-home.ts';

// More rounds on demand; each is a kill in "up" and one in "down", of two real machines.
const rounds = Number(process.env['SHEAF_KILL_ROUNDS'] ?? 5);
const name = 'killed';
const upArgs = ['up', 'test/fixtures/pair', '--as', name, '--yes', '--json'];
const downArgs = ['down', name, '--delete-data', name, '--json'];

test.serial('up and down, killed at any instant, end right when they are run again', async (t) => {
  t.timeout(20 * 60_000);
  const ids = new Set<string>();
  await runProgram(...downArgs);
  const upTime = await timed(() => finish(t, upArgs));
  const downTime = await timed(() => finish(t, downArgs));

  for (let round = 0; round < rounds; round++) {
    const upKill = await killAfter(upArgs, randomInt(Math.round(upTime * 1.1)));
    await noteId(ids);
    const status = JSON.parse(await finish(t, upArgs));
    await noteId(ids);
    t.is(status.state, 'running', `round ${round}: up killed after ${upKill} ms`);
    const page = await (await fetch(status.endpoints[0].url)).text();
    t.is(page, 'front of killed, beside back.1\n');

    const downKill = await killAfter(downArgs, randomInt(Math.round(downTime * 1.1)));
    const again = await runProgram(...downArgs);
    // Killed after its last write, it had done all: then there is nothing of that name any more.
    t.true(
      [0, 4].includes(again.code ?? -1),
      `round ${round}: down killed after ${downKill} ms\n${again.stdout}`,
    );
    t.deepEqual(
      await settledLeftovers([...ids]),
      [],
      `round ${round}: killed after ${upKill} and ${downKill} ms`,
    );
  }
});

test.serial('Ctrl-C amid the steps of an up stops it cleanly, and the same command goes on', async (t) => {
  t.timeout(5 * 60_000);
  const { child, ended } = startProgram(upArgs);
  await new Promise<void>((resolve) => {
    child.stdout?.on('data', (text: string) => {
      if (text.includes('"type":"step"')) resolve();
    });
  });
  child.kill('SIGINT');
  const stopped = await ended;
  const status = await runProgram('status', name, '--json');
  const resumed = JSON.parse(await finish(t, upArgs));
  await finish(t, downArgs);

  t.is(stopped.code, 30, stopped.stdout);
  t.is(JSON.parse(status.stdout).state, 'unfinished');
  t.is(resumed.state, 'running');
});

/** Runs the program to its end and gives the last line that it wrote. */
async function finish(t: ExecutionContext, args: readonly string[]): Promise<string> {
  const run = await runProgram(...args);
  t.is(run.code, 0, `${run.stdout.slice(-2000)}\n${run.stderr}`);
  return run.stdout.trim().split('\n').at(-1) ?? '';
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Starts the program and kills it; it may have ended before. @returns the time of the kill, for messages */
async function killAfter(args: readonly string[], milliseconds: number): Promise<number> {
  const { child, ended } = startProgram(args);
  await Promise.race([delay(milliseconds), ended]);
  child.kill('SIGKILL');
  await ended;
  return milliseconds;
}

async function noteId(ids: Set<string>): Promise<void> {
  const store = openStore(`${testHome}/state.db`);
  const record = await store.deployment('default', name);
  store.close();
  if (record) ids.add(record.id);
}

/** Looks until nothing is left, for at most five seconds: a process that was killed takes a moment to go. */
async function settledLeftovers(ids: readonly string[]): Promise<readonly string[]> {
  for (let tries = 0; tries < 50; tries++) {
    if ((await leftoversOf(testHome, ids)).length === 0) return [];
    await delay(100);
  }
  return await leftoversOf(testHome, ids);
}
