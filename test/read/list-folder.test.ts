import { execFileSync } from 'node:child_process';
import { chmodSync, renameSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { listFolder } from '../../engine/read/list-folder.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const files = { 'index.html': 'hello\n', 'a/b/c.txt': '', 'a-b': 'x', 'run.sh': '#!/bin/sh\n' };

async function digestIn(folder: string): Promise<string> {
  const outcome = await listFolder(folder);
  return 'digest' in outcome ? outcome.digest : outcome.message;
}

test('a listing names everything in code-unit order of the paths', async (t) => {
  const folder = temporaryFolder(t, files);
  chmodSync(join(folder, 'run.sh'), 0o755);
  symlinkSync('../index.html', join(folder, 'a/link'));

  const outcome = await listFolder(folder);

  t.deepEqual('entries' in outcome && outcome.entries.map(({ path, kind }) => `${path} ${kind}`), [
    'a folder',
    'a-b file',
    'a/b folder',
    'a/b/c.txt file',
    'a/link link',
    'index.html file',
    'run.sh file',
  ]);
});

test('equal content has equal digests, wherever and whenever it was made', async (t) => {
  const [one, two] = [temporaryFolder(t, files), temporaryFolder(t, files)];
  utimesSync(join(two, 'index.html'), 1, 1);
  chmodSync(join(two, 'index.html'), 0o600);

  t.is(await digestIn(one), await digestIn(two));
});

test('a byte, a name or the executable bit changes the digest', async (t) => {
  const digests = new Set<string>();
  const folder = temporaryFolder(t, files);

  digests.add(await digestIn(folder));
  chmodSync(join(folder, 'run.sh'), 0o755);
  digests.add(await digestIn(folder));
  renameSync(join(folder, 'a-b'), join(folder, 'a-c'));
  digests.add(await digestIn(folder));
  digests.add(await digestIn(temporaryFolder(t, { ...files, 'index.html': 'hello!\n' })));

  t.is(digests.size, 4);
});

test('links that leave the folder, pipes and names that cannot be packed are refused', async (t) => {
  const [up, absolute, pipe, name] = [1, 2, 3, 4].map(() => temporaryFolder(t, files));
  symlinkSync('../../up', join(up ?? '', 'a/up'));
  symlinkSync('/etc/passwd', join(absolute ?? '', 'passwd'));
  execFileSync('mkfifo', [join(pipe ?? '', 'pipe')]);
  execFileSync('touch', [join(name ?? '', 'line\nbreak')]);

  t.regex(await digestIn(up ?? ''), /"a\/up", which leads out/);
  t.regex(await digestIn(absolute ?? ''), /"passwd", which leads out/);
  t.regex(await digestIn(pipe ?? ''), /"pipe", which is no file/);
  t.regex(await digestIn(name ?? ''), /"line\\nbreak", whose name/);
});

test('reading stops when it is asked to', async (t) => {
  const folder = temporaryFolder(t, files);

  await t.throwsAsync(listFolder(folder, AbortSignal.abort()), { code: 'OPERATION_INTERRUPTED' });
});
