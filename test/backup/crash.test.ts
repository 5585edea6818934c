import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import test from 'ava';
import { backUp } from '../../engine/backup/back-up.ts';
import { copy } from '../../engine/backup/copy.ts';
import { restore } from '../../engine/backup/restore.ts';
import { EngineError } from '../../engine/errors.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { down } from '../../engine/run/down.ts';
import { status } from '../../engine/run/status.ts';
import { liveIn } from '../run/life.ts';
import { type BackupHouse, backupHouse, contentOf, enter } from './backup-house.ts';

const identity = await generateIdentity();
const recipients = [await identityToRecipient(identity)];
const opening = { kind: 'identities', identities: [identity] } as const;
const shop = { owner: 'default', name: 'shop' };
const twin = { owner: 'default', name: 'twin' };

/** Kills an act at every n-th moment, does it again, and looks whether all is as if it had never been killed. */
async function killEverywhere(
  house: BackupHouse,
  act: (context: RunContext) => Promise<unknown>,
  check: () => Promise<void>,
  undo: () => Promise<void>,
): Promise<number> {
  for (let moment = 1; ; moment += 5) {
    const { wasKilled } = await liveIn(house, act, moment);
    // killed after its last act, it is done
    await act(enter(house)).catch((error: unknown) => {
      if (!(error instanceof EngineError) || error.code !== 'DEPLOYMENT_EXISTS') throw error;
    });
    await check();
    await undo();
    if (!wasKilled) return moment;
  }
}

test('a restore that is killed at any moment goes on by the same command', async (t) => {
  const house = await backupHouse();
  const file = join(house.home, 'shop.backup');
  const sealing = { kind: 'recipients', recipients } as const;
  await backUp(enter(house), house.parts, { ...shop, file, sealing, withImages: false });
  const wanted = contentOf(await house.files('shop'));

  const moments = await killEverywhere(
    house,
    async (context) => await restore(context, house.parts, { ...twin, file, bases: [], opening, expose: {} }),
    async () => {
      t.is((await status(enter(house), 'default', 'twin')).state, 'running');
      t.deepEqual(contentOf(await house.files('twin')), wanted);
    },
    async () => void (await down(enter(house), { ...twin, data: 'delete' })),
  );

  t.true(moments > 60);
  house.leave();
});

test('a copy that is killed at any moment goes on by the same command', async (t) => {
  const house = await backupHouse();
  const wanted = contentOf(await house.files('shop'));

  const moments = await killEverywhere(
    house,
    async (context) => await copy(context, context, house.parts, { ...shop, as: 'twin', expose: {} }),
    async () => {
      t.is((await status(enter(house), 'default', 'twin')).state, 'running');
      t.is((await status(enter(house), 'default', 'shop')).state, 'running');
      t.deepEqual(contentOf(await house.files('twin')), wanted);
    },
    async () => void (await down(enter(house), { ...twin, data: 'delete' })),
  );

  t.true(moments > 60);
  house.leave();
});

test('a backup that is killed at any moment changes nothing, and is made whole by the same command', async (t) => {
  const house = await backupHouse();
  const folder = join(house.home, 'out');
  await mkdir(folder);
  const file = join(folder, 'shop.backup');
  const sealing = { kind: 'recipients', recipients } as const;
  const things = await house.world.things();

  const moments = await killEverywhere(
    house,
    async (context) => await backUp(context, house.parts, { ...shop, file, sealing, withImages: false }),
    async () => void t.deepEqual(await house.world.things(), things),
    async () => undefined,
  );
  await restore(enter(house), house.parts, { ...twin, file, bases: [], opening, expose: {} });

  t.true(moments > 8);
  t.deepEqual(contentOf(await house.files('twin')), contentOf(await house.files('shop')));
  house.leave();
});
