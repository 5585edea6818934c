import { chmod, lchown, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { requireOwnPath } from '../engine/own-path.ts';
import { temporaryFolder } from './temporary-folder.ts';

const me = process.geteuid?.() ?? 0;

test('a folder of our own in one for everybody is safe to use', async (t) => {
  const folder = join(temporaryFolder(t), 'mine');
  await mkdir(folder, { mode: 0o700 });

  await t.notThrowsAsync(requireOwnPath(folder, me));
});

test('a folder, or one above it, that others may change is not', async (t) => {
  const open = temporaryFolder(t);
  await mkdir(join(open, 'mine'), { mode: 0o700 });
  await chmod(open, 0o777);

  const error = await t.throwsAsync(requireOwnPath(join(open, 'mine'), me), { code: 'ROOT_REQUIRED' });

  t.like(error, { details: { folder: open } });
});

test('a folder or a link of another user is not', async (t) => {
  const folder = temporaryFolder(t);
  await symlink('/', join(folder, 'link'));

  // whoever runs this test is a stranger to the user 4242
  if (me !== 0) {
    await t.throwsAsync(requireOwnPath(folder, 4242), { code: 'ROOT_REQUIRED' });
    await t.throwsAsync(requireOwnPath(join(folder, 'link'), 4242), { code: 'ROOT_REQUIRED' });
    return;
  }
  await lchown(join(folder, 'link'), 4242, 4242);
  await t.throwsAsync(requireOwnPath(join(folder, 'link'), 1000), { code: 'ROOT_REQUIRED' });
});
