import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readConsole } from '../../../engine/drivers/qemu/logs.ts';
import { systemFailure } from '../../../engine/system-failure.ts';

const { signal } = new AbortController();

test('a console is read over its rotated parts, oldest first', async (t) => {
  const path = await openConsole(t, { '.2': 'one ', '.1': 'two ', '.10': 'zero ', '': 'three' });

  t.is(await textOf(readConsole(path, { follow: false, signal, isOver: () => false })), 'zero one two three');
});

test('a console that does not exist is empty', async (t) => {
  const path = await openConsole(t, {});

  t.is(await textOf(readConsole(path, { follow: false, signal, isOver: () => false })), '');
});

test('following goes on over a rotation, loses nothing, and ends with the machine', async (t) => {
  const path = await openConsole(t, { '': 'first ' });
  let isOver = false;
  const reading = readConsole(path, { follow: true, signal, isOver: () => isOver });

  t.is(String((await reading.next()).value), 'first ');
  await appendFile(path, 'second ');
  t.is(String((await reading.next()).value), 'second ');
  await appendFile(path, 'third ');
  await rename(path, `${path}.1`);
  await writeFile(path, 'fourth ');
  t.is(String((await reading.next()).value), 'third ');
  t.is(String((await reading.next()).value), 'fourth ');
  isOver = true;

  t.true((await reading.next()).done);
});

test('following ends when it is told to', async (t) => {
  const path = await openConsole(t, { '': 'first' });
  const stop = new AbortController();
  const reading = readConsole(path, { follow: true, signal: stop.signal, isOver: () => false });
  await reading.next();

  const next = reading.next();
  stop.abort();

  t.true((await next).done);
});

test('a console of another layout is a refusal with a code, one that is gone is empty', async (t) => {
  const file = await openConsole(t, { '': 'first' });
  const read = (path: string) => textOf(readConsole(path, { follow: false, signal, isOver: () => true }));

  const thrown = await t.throwsAsync(read(join(file, 'console')));

  t.is(systemFailure(thrown)?.code, 'FILE_UNUSABLE');
  t.is(await read(join(dirname(file), 'gone', 'console')), '');
});

async function openConsole(t: ExecutionContext, parts: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-console-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'web.1.console');
  await writeFile(join(folder, 'web.1.json'), '{}');
  for (const [suffix, text] of Object.entries(parts)) await writeFile(`${path}${suffix}`, text);
  return path;
}

async function textOf(parts: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const part of parts) text += Buffer.from(part).toString();
  return text;
}
