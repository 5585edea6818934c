import test from 'ava';
import fc from 'fast-check';
import { Files } from '../../engine/drivers/memory/files.ts';
import { openMemoryVolume } from '../../engine/drivers/memory/volume-access.ts';
import { blockBytes, type VolumeAccess, type VolumeEntry } from '../../engine/model/volume.ts';
import { volumeCopier } from '../../engine/move/copy-volume.ts';

const plain = { mode: 0o640, uid: 7, gid: 8, mtime: '5', size: 0 } as const;

/** A volume whose files can be changed between two passes, and amid them. */
function volume(): { files: Files; access: (amid?: (moment: string) => void) => VolumeAccess } {
  const kept = { files: new Files(undefined) };
  return Object.assign(kept, {
    access: (amid?: (moment: string) => void) =>
      openMemoryVolume({
        key: 'db.1/data',
        sizeBytes: 2 ** 30,
        load: async () => kept.files,
        save: async (files) => {
          kept.files = files;
        },
        isHeld: async () => true,
        moment: async (moment) => amid?.(moment),
      }),
  });
}

function copier() {
  const copy = volumeCopier(() => 'key');
  return async (source: VolumeAccess, target: VolumeAccess, isLast = true) => {
    const side = (access: VolumeAccess, id: string) => ({
      driver: { openVolume: async () => access } as never,
      deployment: { id, name: 'shop', owner: 'default', blueprint: 'sha256:0' } as never,
    });
    const signal = new AbortController().signal;
    return await copy(
      { key: 'db.1/data', from: side(source, 'a'), to: side(target, 'b'), signal, progress: () => undefined },
      isLast,
    );
  };
}

function pictureOf(files: Files): readonly unknown[] {
  return files
    .list()
    .map(({ ctime: _c, inode: _i, ...entry }) => [entry, files.content(entry.path)?.toString('hex')]);
}

test('a copy has the same entries, metadata and bytes, and a second pass carries nothing', async (t) => {
  const [from, to] = [volume(), volume()];
  const copy = copier();
  const put = (entry: Partial<VolumeEntry> & Pick<VolumeEntry, 'path' | 'kind'>): void =>
    from.files.apply({ kind: 'make', entry: { ...plain, ...entry } });
  put({ path: 'a', kind: 'folder', attributes: { 'user.tag': 'AQ==' } });
  from.files.write('a/large', Buffer.alloc(3 * blockBytes + 5, 'x'));
  put({ path: 'a/link', kind: 'symlink', target: '/etc/passwd' });
  put({ path: 'b', kind: 'file', linkTo: 'a/large' });
  put({ path: 'fifo', kind: 'fifo' });
  to.files.write('too/much', Buffer.from('x'));

  const first = await copy(from.access(), to.access());
  const second = await copy(from.access(), to.access());

  t.deepEqual(pictureOf(to.files), pictureOf(from.files));
  t.is(first.bytesCarried, 3 * blockBytes + 5);
  t.is(second.bytesCarried, 0);
});

test('a later pass carries only the blocks that changed', async (t) => {
  const [from, to] = [volume(), volume()];
  const copy = copier();
  const bytes = Buffer.alloc(40 * blockBytes, 'x');
  from.files.write('large', bytes);
  await copy(from.access(), to.access(), false);
  bytes.write('y', 7 * blockBytes);
  from.files.write('large', bytes);

  const { bytesCarried } = await copy(from.access(), to.access());

  t.is(bytesCarried, blockBytes);
  t.deepEqual(pictureOf(to.files), pictureOf(from.files));
});

test('files that change while they are copied are copied again by the next pass', async (t) => {
  const [from, to] = [volume(), volume()];
  const copy = copier();
  from.files.write('log', Buffer.alloc(blockBytes + 1, 'a'));
  from.files.write('gone', Buffer.from('b'));
  const change = (moment: string): void => {
    if (moment !== 'before read volume db.1/data') return;
    from.files.write('log', Buffer.alloc(2 * blockBytes, 'c'));
    from.files.apply({ kind: 'remove', path: 'gone' });
  };

  await copy(from.access(change), to.access(), false);
  await copy(from.access(), to.access());

  t.deepEqual(pictureOf(to.files), pictureOf(from.files));
});

test('a source that changes though it is held is an error', async (t) => {
  const [from, to] = [volume(), volume()];
  from.files.write('log', Buffer.from('a'));
  const change = (moment: string): void => {
    if (moment === 'before read volume db.1/data') from.files.write('log', Buffer.from('longer'));
  };

  await t.throwsAsync(copier()(from.access(change), to.access()), { code: 'VOLUME_UNUSABLE' });
});

test('a target that says other than it was told is an error', async (t) => {
  const [from, to] = [volume(), volume()];
  from.files.write('log', Buffer.from('a'));
  const lie = (moment: string): void => {
    if (moment === 'after apply volume db.1/data') to.files.write('log', Buffer.from('z'));
  };

  await t.throwsAsync(copier()(from.access(), to.access(lie)), { code: 'VOLUME_UNUSABLE' });
});

test('after any two passes both sides are the same', async (t) => {
  const name = fc.constantFrom('a', 'b', 'a/c', 'a/c/d', 'b/e');
  const act = fc.oneof(
    fc.tuple(fc.constant('write' as const), name, fc.nat({ max: 3 * blockBytes })),
    fc.tuple(fc.constant('remove' as const), name, fc.constant(0)),
  );
  const acts = fc.array(act, { maxLength: 8 });

  await fc.assert(
    fc.asyncProperty(acts, acts, async (before, between) => {
      const [from, to] = [volume(), volume()];
      const copy = copier();
      const carry = (list: typeof before): void => {
        for (const [kind, path, size] of list) {
          const isBelowFile = from.files
            .list()
            .some((one) => one.kind === 'file' && path.startsWith(`${one.path}/`));
          const isFolder = from.files.list().some((one) => one.kind === 'folder' && one.path === path);
          if (kind === 'remove') from.files.apply({ kind: 'remove', path });
          else if (!isBelowFile && !isFolder) from.files.write(path, Buffer.alloc(size, path));
        }
      };
      carry(before);
      await copy(from.access(), to.access(), false);
      carry(between);
      await copy(from.access(), to.access());
      t.deepEqual(pictureOf(to.files), pictureOf(from.files));
    }),
    { numRuns: 60 },
  );
});
