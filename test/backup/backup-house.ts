import { join } from 'node:path';
import type { BackupParts } from '../../engine/backup/back-up.ts';
import type { Files } from '../../engine/drivers/memory/files.ts';
import { blockBytes } from '../../engine/model/volume.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { up } from '../../engine/run/up.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { type House, newHouse } from '../run/house.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';

/** A house with a shop whose database holds data. */
export type BackupHouse = House & {
  readonly parts: BackupParts;
  /** Changes what lies in the database of a deployment. */
  readonly change: (name: string, act: (files: Files) => void) => Promise<void>;
  /** Gives what lies in the database of a deployment. */
  readonly files: (name: string) => Promise<Files>;
};

const volume = 'db.1/data';

/** Makes a house where the shop is up, with data in its volume. */
export async function backupHouse(): Promise<BackupHouse> {
  const house = newHouse();
  const blueprint = guestbook();
  const { context } = house.enter();
  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));
  const blobs = await openBlobs(join(house.home, 'blobs'), { temporary: join(house.home, 'drafts') });
  const idOf = async (name: string): Promise<string> =>
    (await house.store.deployment('default', name))?.id ?? '';
  const made: BackupHouse = {
    ...house,
    // the images of the sample are nowhere
    parts: { blobs: { ...blobs, has: async () => true }, scratch: join(house.home, 'scratch') },
    change: async (name, act) => {
      const id = await idOf(name);
      const files = await house.world.files(id, volume);
      act(files);
      await house.world.putFiles(id, volume, files);
    },
    files: async (name) => await house.world.files(await idOf(name), volume),
  };
  await made.change('shop', (files) => {
    files.write('base/entries', Buffer.from('first entry\n'));
    files.write(
      'base/big',
      Buffer.alloc(2 * blockBytes + 7, 'some data that is not all the same: 0123456789 '),
    );
    files.write('sparse', Buffer.concat([Buffer.alloc(blockBytes), Buffer.from('end')]));
    files.apply({
      kind: 'make',
      entry: {
        path: 'odd\n\xff',
        kind: 'symlink',
        mode: 0o777,
        uid: 1,
        gid: 2,
        mtime: '5',
        size: 0,
        target: '/x',
      },
    });
  });
  return made;
}

/** Lists what lies in a volume, with the bytes of files, without what only the volume itself knows. */
export function contentOf(files: Files): readonly string[] {
  return files.list().map(({ ctime: _ctime, inode: _inode, ...entry }) => {
    const content = files.content(entry.path)?.toString('base64') ?? '';
    return JSON.stringify({ ...entry, content });
  });
}

/** Gives a context in which nothing is watched. */
export function enter(house: House): RunContext {
  return house.enter().context;
}
