import { open } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { volumeSize } from '../../../engine/drivers/qemu/volumes.ts';
import { EngineError } from '../../../engine/errors.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

type Change = (header: Buffer) => unknown;

async function volumeWith(folder: string, change: Change): Promise<string> {
  const header = Buffer.alloc(104);
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(2n ** 31n, 24);
  change(header);
  const path = join(folder, 'data.qcow2');
  await using file = await open(path, 'w');
  await file.write(header);
  return path;
}

test('the size of a volume is read from its header', async (t) => {
  const path = await volumeWith(temporaryFolder(t), (header) => header.writeBigUInt64BE(1n, 72));

  t.is(await volumeSize(path), 2 ** 31);
});

for (const [what, change] of [
  ['names a backing file', (header) => header.writeBigUInt64BE(512n, 8)],
  ['keeps its data in another file', (header) => header.writeBigUInt64BE(4n, 72)],
  ['is of another format', (header) => header.write('json:', 0)],
  ['is of an older version, whose header ends sooner', (header) => header.writeUInt32BE(2, 4)],
] as const satisfies readonly (readonly [string, Change])[])
  test(`a volume that ${what} is never opened`, async (t) => {
    const path = await volumeWith(temporaryFolder(t), change);

    const error = await t.throwsAsync<EngineError>(volumeSize(path), { instanceOf: EngineError });

    t.is(error?.code, 'STATE_CORRUPT');
  });
