import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../engine/command.ts';
import { firmwareFor } from '../../engine/drivers/qemu/firmware.ts';
import { EngineError } from '../../engine/errors.ts';
import { readDiskStart } from '../../engine/formats/qcow2.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const ways: Readonly<Record<string, readonly string[]>> = {
  'as it is': [],
  'of version 2': ['-o', 'compat=0.10'],
  'with small clusters': ['-o', 'cluster_size=512'],
  'with parts of clusters': ['-o', 'extended_l2=on,cluster_size=128k'],
  'packed by zlib': ['-c'],
  'packed by zstd': ['-c', '-o', 'compression_type=zstd'],
};

for (const [title, options] of Object.entries(ways))
  test(`the first bytes of a qcow2 ${title} are those of the disk`, async (t) => {
    const content = Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 7) % 251));

    const start = await readDiskStart(await diskOf(t, content, options), 512);

    t.deepEqual(start, content);
  });

test('an empty disk begins with zeros', async (t) => {
  t.deepEqual(await readDiskStart(await diskOf(t, Buffer.alloc(512), []), 512), Buffer.alloc(512));
});

test('a file that only begins like a disk has no first bytes', async (t) => {
  const whole = await diskOf(t, Buffer.alloc(512, 1), []);
  const file = join(temporaryFolder(t), 'cut');
  await runCommand('cp', [whole, file]);
  await runCommand('truncate', ['-s', '200', file]);

  t.is(await readDiskStart(file, 512), undefined);
});

test('a disk with a boot program in its first sector boots by BIOS, whatever else it has', async (t) => {
  const sector = Buffer.alloc(512);
  sector.writeUInt8(0xeb, 0);

  t.deepEqual(await firmwareFor(await diskOf(t, sector, ['-c']), 'web.1'), {});
});

test('one without such a program boots by UEFI, where its firmware is installed', async (t) => {
  const disk = await diskOf(t, Buffer.alloc(512), []);
  const here = join(temporaryFolder(t, { firmware: '' }), 'firmware');

  t.deepEqual(await firmwareFor(disk, 'web.1', here), { firmware: here });
  const error = await t.throwsAsync(firmwareFor(disk, 'web.1', `${here}.none`), { instanceOf: EngineError });
  t.is(error?.code, 'TOOL_MISSING');
  t.regex(error?.hint ?? '', /ovmf/);
});

async function diskOf(t: ExecutionContext, start: Buffer, options: readonly string[]): Promise<string> {
  const folder = temporaryFolder(t);
  const [raw, disk] = [join(folder, 'raw'), join(folder, 'disk')];
  const content = Buffer.alloc(2 ** 20);
  start.copy(content);
  await writeFile(raw, content);
  await runCommand('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, disk]);
  return disk;
}
