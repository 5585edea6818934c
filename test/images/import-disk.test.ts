import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { readDiskHeader } from '../../engine/formats/qcow2.ts';
import { findDisk, importDisk } from '../../engine/images/import-disk.ts';
import { diskOf } from '../../engine/model/disk-image.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { openStore } from '../../engine/store/store.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const mebibyte = 2 ** 20;

test('a qcow2 is stored as it is, a raw disk as a qcow2 of its size; each once', async (t) => {
  const { context, folder } = await open(t);
  const raw = join(folder, 'disk.raw');
  writeFileSync(raw, Buffer.alloc(mebibyte, 'x'));
  qemuImg(folder, 'convert', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
  const whole = request(join(folder, 'disk.qcow2'));

  t.is(await findDisk(whole, context), undefined);
  const kept = await importDisk(whole, context);
  const converted = await importDisk(request(raw), context);

  t.is(diskOf(kept.layers)?.digest, whole.digest);
  t.deepEqual(await findDisk(whole, context), kept);
  const disk = diskOf(converted.layers)?.digest ?? whole.digest;
  t.like(await readDiskHeader(context.blobs.path(disk)), { format: 'qcow2', sizeBytes: mebibyte });
});

const hostile: Readonly<Record<string, readonly string[]>> = {
  'names a backing file': [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-u',
    '-b',
    '/etc/shadow',
    '-F',
    'raw',
    'disk',
    '1M',
  ],
  'keeps its data in another file': ['create', '-q', '-f', 'qcow2', '-o', 'data_file=other', 'disk', '1M'],
  'is of the format VMDK': ['create', '-q', '-f', 'vmdk', 'disk', '1M'],
  'has 5497558138880 bytes': ['create', '-q', '-f', 'qcow2', 'disk', '5T'],
};

for (const [what, args] of Object.entries(hostile)) {
  test(`a disk that ${what} is refused, and nothing of it is stored`, async (t) => {
    const { context, folder } = await open(t);
    qemuImg(folder, ...args);
    const disk = request(join(folder, 'disk'));

    const error = await t.throwsAsync(importDisk(disk, context), { instanceOf: EngineError });

    t.is(error?.code, 'IMAGE_FAILED');
    t.true(error?.message.endsWith(what), error?.message);
    t.false(await context.blobs.has(disk.digest));
  });
}

test('a disk that changed since it was checked is refused', async (t) => {
  const { context, folder } = await open(t);
  writeFileSync(join(folder, 'disk'), Buffer.alloc(mebibyte));

  const error = await t.throwsAsync(
    importDisk({ ...request(join(folder, 'disk')), digest: digestOf('before') }, context),
    { instanceOf: EngineError },
  );

  t.is(error?.code, 'IMAGE_FAILED');
});

function request(file: string) {
  return { name: 'whole', version: '1.0.0', file, digest: digestOf(readFileSync(file)) };
}

function qemuImg(folder: string, ...args: readonly string[]): void {
  execFileSync('qemu-img', args, { cwd: folder });
}

async function open(t: ExecutionContext) {
  const folder = temporaryFolder(t);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'drafts') });
  const store = openStore(join(folder, 'state.db'));
  t.teardown(() => store.close());
  const { signal } = new AbortController();
  const context = {
    blobs,
    refs: store.refs,
    scratch: join(folder, 'scratch'),
    cache: folder,
    signal,
    report: () => undefined,
  };
  return { folder, context };
}
