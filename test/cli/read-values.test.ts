import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import type { Host } from '../../cli/host.ts';
import { readValues } from '../../cli/read-values.ts';
import { memoryHost } from './memory-host.ts';
import { runCli, temporaryFolder } from './run-cli.ts';

async function source(t: ExecutionContext, input: string | Buffer = ''): Promise<Host> {
  const { host } = memoryHost('pipe');
  return { ...host, stdin: Readable.from([Buffer.from(input)]), folder: await temporaryFolder(t) };
}

test('a value comes from a file or from standard input, without the line break at its end', async (t) => {
  const host = await source(t, 'from a pipe\r\n');
  await writeFile(join(host.folder, 'secret'), 'two\nlines\n\n');

  const values = await readValues({ password: 'secret', token: '-' }, { title: 'a' }, host);

  t.deepEqual(values, { title: 'a', password: 'two\nlines\n', token: 'from a pipe' });
});

test('a value is refused that cannot be had, is no text or too long; its parameter is named, it is not', async (t) => {
  const host = await source(t);
  await writeFile(join(host.folder, 'binary'), Buffer.from([0xff, 0xfe, 0x00]));
  await writeFile(join(host.folder, 'long'), Buffer.alloc(2 ** 20 + 1, 'x'));
  const refusal = async (file: string) =>
    await t.throwsAsync(readValues({ password: file }, {}, host), { name: 'EngineError' });

  t.like(await refusal('nowhere'), {
    code: 'INPUT_REFUSED',
    message: 'the parameter password: nowhere cannot be read (ENOENT)',
  });
  t.like(await refusal('.'), { message: 'the parameter password: . cannot be read (EISDIR)' });
  t.like(await refusal('binary'), { message: 'the parameter password: binary is not UTF-8 text' });
  t.like(await refusal('long'), { message: 'the parameter password: long is longer than 1 MiB' });
});

test('one standard input feeds one parameter, and a parameter is given in one way', async (t) => {
  const host = await source(t, 'x');

  await t.throwsAsync(readValues({ a: '-', b: '-' }, {}, host), {
    message: 'standard input cannot be both a and b',
  });
  await t.throwsAsync(readValues({ a: '-' }, { a: '1' }, host), {
    message: 'a is given by --set and by --set-file',
  });
});

test('a parameter is planned with what standard input says', async (t) => {
  const run = await runCli(
    ['plan', 'applications/guestbook', '--as', 'a', '--set-file', 'title=-', '--json'],
    {
      input: 'Our bees\n',
    },
  );

  t.is(run.code, 0, run.stderr);
  t.regex(run.stdout, /Our bees/);
});
