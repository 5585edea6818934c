import test from 'ava';
import { openExecOutput } from '../../cli/output/exec-output.ts';
import { createLogWriter } from '../../cli/output/log-writer.ts';
import { memoryHost } from './memory-host.ts';
import { violations } from './schemas.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test("one instance's log goes raw into a pipe", async (t) => {
  const { host, stdout } = memoryHost('pipe');
  const writer = createLogWriter(host, false);

  await writer.write('web.1', bytes('\x1b[1mbo'));
  await writer.write('web.1', bytes('ot\r\n'));
  await writer.end();

  t.is(stdout(), '\x1b[1mboot\r\n');
});

test('on a terminal a log cannot steer: control characters are shown, carriage returns at line ends dropped', async (t) => {
  const { host, stdout } = memoryHost('terminal');
  const writer = createLogWriter(host, false);

  await writer.write('web.1', bytes('\x1b]0;mine\x07on'));
  await writer.write('web.1', bytes('e\r\r\ntwo'));
  await writer.end();

  t.is(stdout(), '\\x1b]0;mine\\x07one\ntwo\n');
});

test('logs of several instances keep their lines whole and carry names', async (t) => {
  const { host, stdout } = memoryHost('pipe');
  const writer = createLogWriter(host, true);

  await writer.write('web.1', bytes('first'));
  await writer.write('db.1', bytes('ready\n'));
  await writer.write('web.1', bytes(' half\nrest'));
  await writer.end();

  t.is(stdout(), 'db.1: ready\nweb.1: first half\nweb.1: rest\n');
});

test('a letter cut in two by the stream stays one', async (t) => {
  const { host, stdout } = memoryHost('json');
  const writer = createLogWriter(host, false);
  const letter = Buffer.from('ü\n');

  await writer.write('web.1', letter.subarray(0, 1));
  await writer.write('web.1', letter.subarray(1));
  await writer.end();

  t.is(stdout(), '{"instance":"web.1","line":"ü"}\n');
  t.deepEqual(violations('logs', JSON.parse(stdout())), []);
});

test('a line that never ends is broken, so that memory stays bounded', async (t) => {
  const { host, stdout } = memoryHost('json');
  const writer = createLogWriter(host, false);

  for (let index = 0; index < 4; index++) await writer.write('web.1', bytes('x'.repeat(40_000)));
  await writer.end();

  t.deepEqual(
    stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).line.length),
    [80_000, 80_000],
  );
});

test("a command's output passes raw into a pipe, shown on a terminal, as lines of JSON", async (t) => {
  const outputs = await Promise.all(
    (['pipe', 'terminal', 'json'] as const).map(async (form) => {
      const { host, stdout, stderr } = memoryHost(form);
      const output = openExecOutput(host);
      output.stdout.write('a\x1b[2J\r\n');
      output.stderr.write('b\x07');
      await output.end();
      return [stdout(), stderr()];
    }),
  );

  t.deepEqual(outputs, [
    ['a\x1b[2J\r\n', 'b\x07'],
    ['a\\x1b[2J\n', 'b\\x07'],
    [
      '{"type":"output","stream":"stdout","text":"a\\u001b[2J\\r\\n"}\n{"type":"output","stream":"stderr","text":"b\\u0007"}\n',
      '',
    ],
  ]);
});
