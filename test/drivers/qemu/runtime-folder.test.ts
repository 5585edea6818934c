import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { openQemuDriver } from '../../../engine/drivers/qemu/open-driver.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { temporaryFolder } from '../../cli/run-cli.ts';

test('a driver that is closed leaves no runtime folder of a home in which nothing runs', async (t) => {
  const folder = await temporaryFolder(t);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'drafts') });
  const options = {
    ...{ pool: 'local', home: join(folder, 'qemu'), runtime: join(folder, 'run/of-this-home'), blobs },
    kit: async () => undefined,
    attendant: async (): Promise<never> => t.fail() as never,
  };
  const driver = await openQemuDriver(options);
  const other = await openQemuDriver(options);
  const deployment = {
    id: 'abcdefghijkl',
    name: 'shop',
    owner: 'default',
    blueprint: `sha256:${'0'.repeat(64)}`,
  } as const;
  await driver.leaveNote(deployment, 'a note');

  await driver.close();
  const whileNoted = await readdir(join(folder, 'run'));
  await other.leaveNote(deployment, null);
  await other.close();

  t.deepEqual(whileNoted, ['of-this-home']);
  t.deepEqual(await readdir(join(folder, 'run')), []);
});
