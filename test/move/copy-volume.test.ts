import test from 'ava';
import { Files } from '../../engine/drivers/memory/files.ts';
import { openMemoryVolume } from '../../engine/drivers/memory/volume-access.ts';
import type { VolumeAccess } from '../../engine/model/volume.ts';
import type { PassKind } from '../../engine/move/context.ts';
import { volumeCopier } from '../../engine/move/copy-volume.ts';
import { scratchFolder } from '../sample/context.ts';

type Amid = (moment: string) => void;

/** A volume whose files can be changed between two passes, and amid them. */
function volume(): { files: Files; readonly access: (amid?: Amid) => VolumeAccess } {
  const kept = {
    files: new Files(undefined),
    access: (amid?: Amid) =>
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
  };
  return kept;
}

function copier() {
  const scratch = scratchFolder();
  const copy = volumeCopier({ newKey: () => 'key', scratch: async () => scratch });
  return async (source: VolumeAccess, target: VolumeAccess, kind: PassKind) => {
    // nothing else is asked of either side
    const side = (access: VolumeAccess, id: string) => ({
      driver: { openVolume: async () => access } as never,
      deployment: { id } as never,
    });
    const signal = new AbortController().signal;
    const pair = { key: 'db.1/data', from: side(source, 'a'), to: side(target, 'b'), signal };
    return await copy({ ...pair, progress: () => undefined }, kind);
  };
}

test('after running passes and a last one both sides are the same, and later passes carry only what changed', async (t) => {
  const [from, to] = [volume(), volume()];
  const copy = copier();
  from.files.write('a/large', Buffer.alloc(200_000, 'x'));
  from.files.write('b', Buffer.from('small'));

  const first = await copy(from.access(), to.access(), 'next');
  from.files.write('b', Buffer.from('other'));
  const second = await copy(from.access(), to.access(), 'next');
  const whole = await copy(from.access(), to.access(), 'whole');
  const last = await copy(from.access(), to.access(), 'last');

  t.deepEqual(
    [first, second, whole, last].map(({ bytesCarried }) => bytesCarried),
    [200_005, 5, 0, 0],
  );
  t.is(to.files.content('b')?.toString(), 'other');
});

test('the whole pass finds what the target has lost behind our back', async (t) => {
  const [from, to] = [volume(), volume()];
  const copy = copier();
  from.files.write('a', Buffer.from('text'));
  await copy(from.access(), to.access(), 'next');
  to.files.content('a')?.write('T');

  await copy(from.access(), to.access(), 'whole');

  t.is(to.files.content('a')?.toString(), 'text');
});

test('sides that are not the same after the last pass are an error', async (t) => {
  const [from, to] = [volume(), volume()];
  from.files.write('log', Buffer.from('a'));
  const lie: Amid = (moment) => {
    if (moment === 'after apply volume db.1/data') to.files.write('log', Buffer.from('z'));
  };

  await t.throwsAsync(copier()(from.access(), to.access(lie), 'last'), { code: 'VOLUME_UNUSABLE' });
});
