import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { Files } from '../../engine/drivers/memory/files.ts';
import { blockBytes } from '../../engine/model/volume.ts';
import { compareVolumes } from '../../engine/volumes/compare-volumes.ts';
import { syncVolume } from '../../engine/volumes/sync-volume.ts';
import { entryOf, type TestVolume, testVolume } from './memory-volume.ts';

const key = '5a'.repeat(32);

async function scratchOf(t: ExecutionContext): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'sheaf-'));
  t.teardown(() => rm(scratch, { recursive: true }));
  return scratch;
}

function sample(files: Files): void {
  files.write('base/1/big', Buffer.alloc(20 * blockBytes + 3, 'abc'));
  files.write('base/1/small', Buffer.from('one'));
  files.write('base-', Buffer.from('between'));
  files.write('sparse', Buffer.concat([Buffer.alloc(40 * blockBytes), Buffer.from('end')]));
  files.apply({ kind: 'make', entry: entryOf({ path: 'link', kind: 'symlink', target: 'base/1/big' }) });
  files.apply({ kind: 'make', entry: entryOf({ path: 'pipe', kind: 'fifo', mode: 0o600 }) });
  files.apply({
    kind: 'make',
    entry: { ...entryOf({ path: 'same', kind: 'file', size: 3 }), linkTo: 'base/1/small' },
  });
}

test('a volume becomes as another one, and the next pass carries only what was changed', async (t) => {
  const scratch = await scratchOf(t);
  const [source, target] = [testVolume(), testVolume()];
  source.change(sample);
  target.change((files) => {
    files.write('base/1', Buffer.from('was a file'));
    files.write('old/deep/file', Buffer.from('goes'));
  });
  const request = { source: source.access, target: target.access, key, scratch };

  const first = await syncVolume(request);
  source.change((files) => {
    files.write('base/1/small', Buffer.from('two'));
    const big = Buffer.from(files.content('base/1/big') ?? '');
    big.write('changed', 7 * blockBytes);
    files.write('base/1/big', big);
  });
  const second = await syncVolume({ ...request, previous: first.memory });
  const third = await syncVolume({ ...request, previous: second.memory });
  for (const pass of [first, second, third]) await pass.memory.list.remove();

  t.deepEqual(target.paths(), source.paths());
  t.deepEqual(await compareVolumes(source.access, target.access, { key, scratch }), []);
  t.is(second.carriedBytes, blockBytes + 3);
  t.is(third.carriedBytes, 0);
  t.is(third.changes, 0);
  t.deepEqual(await readdir(scratch), []);
});

test('a pass that is cut off anywhere goes on where it was, and leaves no lists behind', async (t) => {
  const scratch = await scratchOf(t);
  const source = testVolume();
  source.change(sample);
  let moments = 0;
  let stop = 1;
  const target = testVolume((moment) => {
    if (!moment.startsWith('amid apply')) return;
    moments += 1;
    if (moments === stop) throw new Error('killed');
  });
  const request = { source: source.access, target: target.access, key, scratch };

  for (; ; stop += 3) {
    moments = 0;
    const cut = await syncVolume(request).then(
      async (pass) => {
        await pass.memory.list.remove();
        return false;
      },
      () => true,
    );
    if (!cut) break;
  }

  t.true(stop > 4);
  t.deepEqual(await compareVolumes(source.access, target.access, { key, scratch }), []);
  t.deepEqual(await readdir(scratch), []);
});

test('volumes that differ are told apart by path', async (t) => {
  const scratch = await scratchOf(t);
  const [one, other] = [testVolume(), testVolume()];
  one.change(sample);
  const pass = await syncVolume({ source: one.access, target: other.access, key, scratch });
  await pass.memory.list.remove();
  other.change((files) => {
    files.apply({ kind: 'open', path: 'base-', size: 7 });
    files.apply({ kind: 'write', index: 0, block: { mark: '', bytes: Buffer.from('betweex'), size: 7 } });
    files.apply({
      kind: 'settle',
      entry:
        one
          .files()
          .list()
          .find(({ path }) => path === 'base-') ?? entryOf({ path: 'base-', kind: 'file' }),
    });
  });

  t.deepEqual(await compareVolumes(one.access, other.access, { key, scratch }), ['base-']);
  other.change((files) => files.write('more', Buffer.from('x')));
  t.deepEqual(await compareVolumes(one.access, other.access, { key, scratch }), ['more']);
});

const anyTree = fc.array(
  fc.record({
    path: fc.constantFrom('a', 'a/b', 'a/b/c', 'a-', 'b', 'b/c', '\xff'),
    kind: fc.constantFrom('write', 'symlink', 'fifo', 'link', 'remove'),
    fill: fc.constantFrom(0, 1, 2),
    size: fc.constantFrom(0, 5, blockBytes, 2 * blockBytes + 1),
  }),
  { maxLength: 12 },
);

function grow(volume: TestVolume, steps: typeof anyTree extends fc.Arbitrary<infer T> ? T : never): void {
  volume.change((files) => {
    for (const { path, kind, fill, size } of steps) {
      const parents = path
        .split('/')
        .slice(0, -1)
        .map((_, i, all) => all.slice(0, i + 1).join('/'));
      const kinds = new Map(files.list().map((one) => [one.path, one]));
      if (parents.some((parent) => kinds.has(parent) && kinds.get(parent)?.kind !== 'folder')) continue;
      if (kinds.get(path)?.kind === 'folder' || kinds.get(path)?.linkTo !== undefined) continue;
      const isLinked = [...kinds.values()].some(({ linkTo }) => linkTo === path);
      if (kind === 'write' && (!kinds.has(path) || kinds.get(path)?.kind === 'file')) {
        if (!isLinked) files.write(path, Buffer.alloc(size, fill));
      } else if (!isLinked && kinds.has(path)) files.apply({ kind: 'remove', path });
      else if (kind === 'symlink' && parents.every((parent) => kinds.has(parent)) && !kinds.has(path))
        files.apply({ kind: 'make', entry: entryOf({ path, kind: 'symlink', target: `t${fill}` }) });
      else if (kind === 'fifo' && parents.every((parent) => kinds.has(parent)) && !kinds.has(path))
        files.apply({ kind: 'make', entry: entryOf({ path, kind: 'fifo' }) });
      else if (kind === 'link' && kinds.get('a')?.kind === 'file' && !kinds.has(path) && path !== 'a')
        files.apply({
          kind: 'make',
          entry: { ...(kinds.get('a') ?? entryOf({ path, kind: 'file' })), path, linkTo: 'a' },
        });
    }
  });
}

test('any volume becomes any other one', async (t) => {
  const scratch = await scratchOf(t);
  await fc.assert(
    fc.asyncProperty(anyTree, anyTree, anyTree, async (first, other, later) => {
      const [source, target] = [testVolume(), testVolume()];
      grow(source, first);
      grow(target, other);
      const request = { source: source.access, target: target.access, key, scratch };
      const pass = await syncVolume(request);
      grow(source, later);
      const last = await syncVolume({ ...request, previous: pass.memory });
      await pass.memory.list.remove();
      await last.memory.list.remove();
      const differ = await compareVolumes(source.access, target.access, { key, scratch });
      if (differ.length > 0) throw new Error(`${differ}: ${source.paths()} | ${target.paths()}`);
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('a file that grows while it is carried is carried whole by the next pass', async (t) => {
  const scratch = await scratchOf(t);
  const log = Buffer.alloc(blockBytes + 7, 'line ');
  const source = testVolume((moment) => {
    if (moment !== 'before read volume db.1/data') return;
    if (source.files().content('log')?.length !== log.length)
      source.change((files) => files.write('log', log));
  });
  const target = testVolume();
  source.change((files) => files.write('log', Buffer.from('line line')));
  const request = { source: source.access, target: target.access, key, scratch };

  const first = await syncVolume(request);
  const second = await syncVolume({ ...request, previous: first.memory });
  for (const pass of [first, second]) await pass.memory.list.remove();

  t.deepEqual(await compareVolumes(source.access, target.access, { key, scratch }), []);
  t.is(target.files().content('log')?.length, log.length);
});
