import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import type { VerbKind } from '../../cli/host.ts';
import { type Interrupts, watchInterrupts } from '../../cli/interrupt.ts';
import { root } from './run-cli.ts';

type Interruptible = {
  readonly process: EventEmitter;
  readonly interrupts: Interrupts;
  readonly exits: readonly number[];
};

function interruptible(kind: VerbKind, hasTerminal = true): Interruptible {
  const exits: number[] = [];
  const process = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  return { process, interrupts: watchInterrupts(process, kind, { hasTerminal }), exits };
}

async function runShell(script: string): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = spawn('sh', ['-c', script, process.execPath, join(root, 'cli/start.js')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stderr };
}

test('the first Ctrl-C lets what changes the world end cleanly, the second ends it at once', (t) => {
  const { process, interrupts, exits } = interruptible('changes');

  process.emit('SIGINT', 'SIGINT');
  t.true(interrupts.signal.aborted);
  t.deepEqual(exits, []);

  process.emit('SIGINT', 'SIGINT');
  t.deepEqual(exits, [130]);
});

test('what only reads ends at the first Ctrl-C, what follows ends by its signal', (t) => {
  const reading = interruptible('reads');
  const following = interruptible('follows');

  reading.process.emit('SIGTERM', 'SIGTERM');
  following.process.emit('SIGINT', 'SIGINT');

  t.deepEqual(reading.exits, [143]);
  t.deepEqual(following.exits, []);
  t.true(following.interrupts.signal.aborted);
});

test('a terminal that goes away ends a verb as Ctrl-C does; where there is none, as under nohup, nothing ends', (t) => {
  const attached = interruptible('changes');
  const detached = interruptible('changes', false);

  attached.process.emit('SIGHUP', 'SIGHUP');
  detached.process.emit('SIGHUP', 'SIGHUP');
  detached.process.emit('SIGHUP', 'SIGHUP');

  t.true(attached.interrupts.signal.aborted);
  t.false(detached.interrupts.signal.aborted);
  t.deepEqual(detached.exits, []);
});

test('after a verb has ended signals act as they always do', (t) => {
  const { process, interrupts } = interruptible('changes');

  interrupts.end();

  t.deepEqual(process.eventNames(), []);
});

test('a reader that goes away ends the program quietly', async (t) => {
  const run = await runShell('{ "$0" "$1" --help; echo "exit $?" >&2; } | true');

  t.is(run.stderr, 'exit 0\n');
});

test('a full disk behind standard output is told and is no success', async (t) => {
  const run = await runShell('"$0" "$1" --help > /dev/full');

  t.is(run.code, 17);
  t.regex(run.stderr, /^error DISK_FULL: standard output could not be written/);
});
