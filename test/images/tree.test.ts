import { chmod, link, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { diffTrees, imageTime, readTree, type Tree } from '../../engine/images/tree.ts';

test('a lowest layer holds everything but what images leave out', async (t) => {
  const root = await makeRoot(t);
  await mkdir(join(root, 'usr/share/doc/jq'), { recursive: true });
  await mkdir(join(root, 'usr/lib/python3/__pycache__'), { recursive: true });
  await mkdir(join(root, 'var/log/nginx'), { recursive: true });
  for (const path of [
    'usr/share/doc/jq/copyright',
    'usr/share/doc/jq/README',
    'usr/lib/python3/__pycache__/a.pyc',
    'var/log/nginx/access.log',
    'etc/machine-id',
    'etc/shadow-',
  ])
    await writeFile(join(root, path), '');

  t.deepEqual(await describe(root, new Map()), [
    'etc/ 755',
    'etc/a 644 1',
    'etc/b 644 1',
    'usr/ 755',
    'usr/lib/ 755',
    'usr/lib/python3/ 755',
    'usr/share/ 755',
    'usr/share/doc/ 755',
    'usr/share/doc/jq/ 755',
    'usr/share/doc/jq/copyright 644 0',
    'var/ 755',
    'var/log/ 755',
    'var/log/nginx/ 755',
  ]);
});

test('a layer holds new, changed and removed files, and the folders above them', async (t) => {
  const root = await makeRoot(t);
  await mkdir(join(root, 'opt/kept/deep'), { recursive: true });
  await mkdir(join(root, 'opt/gone/deep'), { recursive: true });
  await writeFile(join(root, 'opt/kept/deep/file'), '');
  const before = await readTree(root);

  await writeFile(join(root, 'etc/a'), 'changed');
  await rm(join(root, 'etc/b'));
  await rm(join(root, 'opt/gone'), { recursive: true });
  await symlink('a', join(root, 'etc/c'));

  t.deepEqual(await describe(root, before), [
    'etc/ 755',
    'etc/.wh.b 600 0',
    'etc/a 644 7',
    'etc/c 777 -> a',
    'opt/ 755',
    'opt/.wh.gone 600 0',
  ]);
});

test('a file that was changed under its old size and time is noticed', async (t) => {
  const root = await makeRoot(t);
  const past = new Date(2020, 1, 1);
  await utimes(join(root, 'etc/a'), past, past);
  const before = await readTree(root);

  await writeFile(join(root, 'etc/a'), 'b');
  await utimes(join(root, 'etc/a'), past, past);

  t.deepEqual(await describe(root, before), ['etc/ 755', 'etc/a 644 1']);
});

test('a file in the place of a folder, and a folder in the place of a file', async (t) => {
  const root = await makeRoot(t);
  await mkdir(join(root, 'x/y'), { recursive: true });
  const before = await readTree(root);

  await rm(join(root, 'x'), { recursive: true });
  await writeFile(join(root, 'x'), '');
  await rm(join(root, 'etc/a'));
  await mkdir(join(root, 'etc/a'));
  await rename(join(root, 'etc/b'), join(root, 'etc/a/b'));

  t.deepEqual(await describe(root, before), [
    'etc/ 755',
    'etc/.wh.b 600 0',
    'etc/a/ 755',
    'etc/a/b 644 1',
    'x 644 0',
  ]);
});

test('a folder whose rights changed is in the layer, one whose time changed is not', async (t) => {
  const root = await makeRoot(t);
  await mkdir(join(root, 'opt'));
  const before = await readTree(root);

  await chmod(join(root, 'opt'), 0o700);
  await utimes(join(root, 'etc'), 1, 1);

  t.deepEqual(await describe(root, before), ['opt/ 700']);
});

test('names of one file are hard links to the first', async (t) => {
  const root = await makeRoot(t);
  await link(join(root, 'etc/b'), join(root, 'etc/c'));

  t.deepEqual(await describe(root, new Map()), [
    'etc/ 755',
    'etc/a 644 1',
    'etc/b 644 1',
    'etc/c 644 = etc/b',
  ]);
});

test('every entry carries the same time', async (t) => {
  const root = await makeRoot(t);

  for await (const entry of diffTrees(root, new Map(), await readTree(root))) t.is(entry.mtime, imageTime);
});

async function makeRoot(t: ExecutionContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'sheaf-tree-'));
  t.teardown(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/a'), 'a');
  await writeFile(join(root, 'etc/b'), 'b');
  return root;
}

async function describe(root: string, before: Tree): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const entry of diffTrees(root, before, await readTree(root))) {
    const mode = entry.mode.toString(8);
    const rest =
      entry.type === 'file'
        ? ` ${entry.size}`
        : entry.type === 'symlink'
          ? ` -> ${entry.target}`
          : entry.type === 'link'
            ? ` = ${entry.target}`
            : '';
    lines.push(`${entry.path} ${mode}${rest}`);
  }
  return lines;
}
