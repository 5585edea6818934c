import test from 'ava';
import { bringBack } from '../../engine/run/bring-back.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { down } from '../../engine/run/down.ts';
import { forget } from '../../engine/run/forget.ts';
import { repair } from '../../engine/run/repair.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { acts, edition, shop, writeWord } from './editions.ts';
import { type Act, killedEverywhere } from './matrix.ts';

// Changes of version and repairs, killed at their every moment.

const first = edition('1.0.0', []);
const second = edition('2.0.0', ['db'], { sizeMiB: 4096 });
const goUp: Act = acts.up(first);
const say =
  (word: string): Act =>
  (_context, house) =>
    writeWord(house, word);
const goOn: Act = acts.upgrade(second);
const goBack: Act = acts.revert('discard');
const keepBack: Act = acts.revert('keep');
const undo: Act = (context) => rollBack(context, shop);
const comeBack: Act = (context) => bringBack(context, shop);
const mend: Act = (context) => repair(context, shop);
const goDown: Act = (context) => down(context, { ...shop, data: 'delete' });
const breakSome: Act = async (_context, { world, store }) => {
  const deployment = (await store.deployment(shop.owner, shop.name))?.id ?? '';
  await world.take({ deployment, kind: 'instance', key: 'web.1' });
  await world.take({ deployment, kind: 'policy', key: 'wires' });
};
const old = [goUp, say('old')];
// what grew stays so
const grownOld = [acts.up(edition('1.0.0', [], { sizeMiB: 4096 })), say('old')];
const upgraded = [...old, goOn, say('new')];
// at the very last moment the snapshot of the version before is gone already
const forgotten = [...upgraded, (context: RunContext) => forget(context, shop)];

test.serial(
  'an upgrade that was killed at any moment ends in the new version when it is run again',
  async (t) => {
    await killedEverywhere(t, { given: old, act: goOn, rerun: goOn, likeAfter: [...old, goOn] });
  },
);

test.serial('an upgrade that was killed at any moment comes back as it was decided', async (t) => {
  await killedEverywhere(t, {
    given: old,
    act: goOn,
    rerun: comeBack,
    likeAfter: [...old, goOn],
    orAfter: [old],
  });
});

test.serial(
  'an upgrade that was killed at any moment can be undone, with the data as they were',
  async (t) => {
    await killedEverywhere(t, { given: old, act: goOn, rerun: undo, likeAfter: old, orAfter: [grownOld] });
  },
);

test.serial('an upgrade that was killed at any moment can be taken down', async (t) => {
  await killedEverywhere(t, { given: old, act: goOn, rerun: goDown, likeAfter: [] });
});

test.serial(
  'a second upgrade that was killed at any moment lets the first snapshot go only when all is well',
  async (t) => {
    const third: Act = acts.upgrade(edition('3.0.0', ['db'], { sizeMiB: 4096 }));
    await killedEverywhere(t, { given: upgraded, act: third, rerun: third, likeAfter: [...upgraded, third] });
  },
);

test.serial(
  'a rollback that was killed at any moment ends in the old version when it is run again',
  async (t) => {
    await killedEverywhere(t, {
      given: upgraded,
      act: goBack,
      rerun: goBack,
      likeAfter: [...upgraded, goBack],
      // it was done when it was killed, and leads there and back
      orAfter: [upgraded],
    });
  },
);

test.serial(
  'a rollback that was killed at any moment can be undone, with what was written since the upgrade',
  async (t) => {
    await killedEverywhere(t, {
      given: upgraded,
      act: goBack,
      rerun: undo,
      likeAfter: upgraded,
      orAfter: [forgotten],
    });
  },
);

test.serial(
  'a rollback that keeps the data was killed at any moment and comes back as it was decided',
  async (t) => {
    await killedEverywhere(t, {
      given: upgraded,
      act: keepBack,
      rerun: comeBack,
      likeAfter: [...upgraded, keepBack],
      orAfter: [upgraded],
    });
  },
);

test.serial('a repair that was killed at any moment ends well when it is run again', async (t) => {
  const given = [...old, breakSome];
  await killedEverywhere(t, { given, act: mend, rerun: mend, likeAfter: [...given, mend] });
});
