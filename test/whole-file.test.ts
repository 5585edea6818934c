import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { removeEmptyFolders, writeWhole } from '../engine/whole-file.ts';
import { temporaryFolder } from './temporary-folder.ts';

test('a file is written in a folder of its own, for its owner alone, and nothing unfinished stays', async (t) => {
  const path = join(temporaryFolder(t), 'a/b/file');

  await writeWhole(path, 'first');
  await writeWhole(path, 'second');

  t.is(readFileSync(path, 'utf8'), 'second');
  t.is(statSync(path).mode & 0o777, 0o600);
  t.is(statSync(dirname(path)).mode & 0o777, 0o700);
  t.deepEqual(readdirSync(dirname(path)), ['file']);
});

test('what a killed writer left unfinished is overwritten', async (t) => {
  const folder = temporaryFolder(t, { 'file.new': 'half of a longer text' });

  await writeWhole(join(folder, 'file'), 'whole');

  t.is(readFileSync(join(folder, 'file'), 'utf8'), 'whole');
  t.deepEqual(readdirSync(folder), ['file']);
});

test('a file that cannot be replaced stays as it was', async (t) => {
  const folder = temporaryFolder(t, { 'file/inside': 'kept' });

  const error = await t.throwsAsync(writeWhole(join(folder, 'file'), 'text'));

  t.like(error, { code: 'FILE_UNUSABLE' });
  t.deepEqual(readdirSync(folder), ['file']);
});

test('empty folders go up to the one that stays, and none that holds something', async (t) => {
  const top = temporaryFolder(t, { 'empty/kept/file': '' });
  mkdirSync(join(top, 'a/b/c'), { recursive: true });

  await removeEmptyFolders(join(top, 'empty/kept'), top);
  await removeEmptyFolders(join(top, 'a/b/c'), top);

  t.deepEqual(readdirSync(top), ['empty']);
});

// nobody, root included, makes files there
test('a folder that this user may not write is ROOT_REQUIRED and named', async (t) => {
  const error = await t.throwsAsync(writeWhole('/sys/sheaf', 'text'));

  t.like(error, { code: 'ROOT_REQUIRED', details: { folder: '/sys' } });
  t.regex(error?.message ?? '', /^\/sys cannot be written: /);
});

test('a pipe or a device is not replaced by a file', async (t) => {
  const pipe = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [pipe]);

  await t.throwsAsync(writeWhole(pipe, 'text'), {
    message: `${pipe} is a device, a pipe or a socket, not a file`,
  });

  t.true(statSync(pipe).isFIFO());
});
