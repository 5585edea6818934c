import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { systemFailure } from '../engine/system-failure.ts';
import { temporaryFolder } from './temporary-folder.ts';

const told = async (act: Promise<unknown>): Promise<string> => {
  const error = systemFailure(await act.catch((cause: unknown) => cause));
  return `${error?.code} ${error?.message}`;
};

test('what the system refuses is told by the file and in words', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'file');
  const link = join(folder, 'link');
  const below = join(folder, 'below');
  await writeFile(file, '');
  await symlink(file, link);
  await mkdir(below);

  t.is(await told(readFile(folder)), 'undefined undefined'); // Node names no file there
  t.is(await told(rename(file, below)), `FILE_UNUSABLE ${below} is a folder, not a file`);
  t.is(await told(readdir(file)), `FILE_UNUSABLE ${file} lies below what is not a folder, or is none itself`);
  t.is(
    await told(open(link, constants.O_NOFOLLOW)),
    `FILE_UNUSABLE ${link} is a symbolic link, which is not followed there`,
  );
  t.is(
    await told(writeFile(join(folder, 'x'.repeat(300)), '')),
    `FILE_UNUSABLE ${join(folder, 'x'.repeat(300))} has a longer name than its file system takes`,
  );
});

test('a full disk and missing rights keep their own codes', (t) => {
  const refusal = (code: string) =>
    systemFailure(Object.assign(new Error(code), { code, path: '/data/state.db' }))?.code;

  t.is(refusal('ENOSPC'), 'DISK_FULL');
  t.is(refusal('EROFS'), 'ROOT_REQUIRED');
  t.is(refusal('EIO'), 'FILE_UNUSABLE');
});

test('a file that is missing, and anything that is no call to the system, stays a mistake of ours', async (t) => {
  t.is(await told(readFile('/nowhere/at/all')), 'undefined undefined');
  t.is(systemFailure(new TypeError('x is not a function')), undefined);
  t.is(systemFailure('text'), undefined);
});
