import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { runCommand } from '../../engine/command.ts';
import { isoDisk } from '../../engine/formats/iso.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const sector = 2048;
const large = 'é'.repeat(3000);
const disk = isoDisk('cidata', [
  ['meta-data', 'local-hostname: web-1\n'],
  ['network-config', ''],
  ['user-data', large],
]);

test('programs that look for a seed find the disk by its label', async (t) => {
  const file = join(temporaryFolder(t), 'seed.iso');
  await writeFile(file, disk);

  const { stdout } = await runCommand('blkid', ['--probe', '--output', 'export', file]);

  t.regex(stdout, /^LABEL=cidata$/m);
  t.regex(stdout, /^TYPE=iso9660$/m);
});

const volumes = { plain: { at: 16, suffix: '.;1' }, Joliet: { at: 17, suffix: '' } };

for (const [title, { at, suffix }] of Object.entries(volumes))
  test(`the ${title} names lead to the files' bytes`, (t) => {
    const root = disk.subarray(disk.readUInt32LE(at * sector + 158) * sector);
    const found: Record<string, string> = {};
    for (let place = 0, length = root[0] ?? 0; length > 0; place += length, length = root[place] ?? 0) {
      const record = root.subarray(place, place + length);
      const id = Buffer.from(record.subarray(33, 33 + record.readUInt8(32)));
      const start = record.readUInt32LE(2) * sector;
      t.is(record.readUInt32BE(6), record.readUInt32LE(2));
      if (record.readUInt8(25) === 0)
        found[title === 'plain' ? id.toString() : id.swap16().toString('utf16le')] = disk
          .subarray(start, start + record.readUInt32LE(10))
          .toString();
    }

    const named = (name: string): string => `${title === 'plain' ? name.toUpperCase() : name}${suffix}`;
    t.deepEqual(found, {
      [named('meta-data')]: 'local-hostname: web-1\n',
      [named('network-config')]: '',
      [named('user-data')]: large,
    });
  });
