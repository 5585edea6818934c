import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'ava';
import { closeProcessFolder, openProcessFolder } from '../engine/process-folder.ts';
import { currentProcess, type ProcessIdentity, processIdentity } from '../engine/process-identity.ts';

test('a process gets a folder of its own, the same at every call', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-folder-'));
  t.teardown(() => rm(home, { recursive: true }));
  const parent = join(home, 'work');

  const folder = await openProcessFolder(parent);

  t.is(basename(folder), nameOf(currentProcess()));
  t.is((await stat(folder)).mode & 0o777, 0o700);
  t.is(await openProcessFolder(parent), folder);
});

test('folders of living processes stay, all others go', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'sheaf-folder-'));
  t.teardown(() => rm(parent, { recursive: true }));
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => child.kill());
  await once(child, 'spawn');
  const living = processIdentity(child.pid ?? 0) ?? currentProcess();
  const names = [
    nameOf(living),
    nameOf({ ...living, startTicks: living.startTicks + 1 }),
    nameOf({ ...living, bootId: '00000000-0000-0000-0000-000000000000' }),
    'something else',
  ];
  for (const name of names) await mkdir(join(parent, name, 'half'), { recursive: true });
  await writeFile(join(parent, 'file'), '');

  const folder = await openProcessFolder(parent);

  t.deepEqual((await readdir(parent)).sort(), [nameOf(living), basename(folder)].sort());
  await t.notThrowsAsync(access(join(parent, nameOf(living), 'half')));
});

test('a closed folder goes when it is empty, and stays when something is in it', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'sheaf-folder-'));
  t.teardown(() => rm(parent, { recursive: true }));
  const folder = await openProcessFolder(parent);
  await writeFile(join(folder, 'half'), '');

  await closeProcessFolder(parent);
  const kept = await readdir(parent);
  await rm(join(folder, 'half'));
  await closeProcessFolder(parent);
  await closeProcessFolder(parent);

  t.deepEqual(kept, [basename(folder)]);
  t.deepEqual(await readdir(parent), []);
});

function nameOf({ pid, startTicks, bootId }: ProcessIdentity): string {
  return `${pid}-${startTicks}-${bootId}`;
}
