import test from 'ava';
import type { MoveContext } from '../../engine/move/context.ts';
import { confirmMove, move, undoMove } from '../../engine/move/move.ts';
import { down } from '../../engine/run/down.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { newStreet, type PoolName, type Street } from './street.ts';
import { dataIn, isWorking, writeTo } from './writer.ts';

const shop = { owner: 'default', name: 'shop' };
const goUp = async (context: MoveContext): Promise<unknown> => {
  const blueprint = guestbook();
  return await up(await context.contextOf('near'), upRequest(blueprint), async () =>
    sampleClosure(blueprint),
  );
};
const goFar = (context: MoveContext) => move(context, { ...shop, to: 'far' });

async function thingsIn(street: Street, pool: PoolName): Promise<readonly string[]> {
  return (await street.worlds[pool].things()).map(({ kind, key }) => `${kind} ${key}`);
}

test('a deployment works on another pool with its data, at the same place, and its old copy is held until it is confirmed', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await writeTo(street, 'near', 'hello');
  const before = await street.store.deployment('default', 'shop');

  await street.live(async (context) => {
    const moved = await goFar(context);
    t.is(moved.pool, 'far');
    t.is(moved.state, 'running');
    t.is(moved.endpoints[0]?.port, before?.spec.allocation.endpoints['edge.web']?.port);
  });

  t.is(await dataIn(street, 'far'), 'hello');
  t.deepEqual([await isWorking(street, 'near'), await isWorking(street, 'far')], [false, true]);
  await street.live((context) => confirmMove(context, shop));
  t.deepEqual(await thingsIn(street, 'near'), []);
  t.deepEqual(
    (await street.store.deployments()).map(({ name, pool }) => `${name} ${pool}`),
    ['shop far'],
  );
  t.deepEqual(await street.store.moves(), []);
  street.leave();
});

test('an undo brings back what was written since, and removes the other copy', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await writeTo(street, 'near', 'hello');
  await street.live(goFar);
  await writeTo(street, 'far', 'hello again');

  await street.live(async (context) => {
    const back = await undoMove(context, { ...shop, discards: false });
    t.is(back.pool, 'near');
    t.is(back.state, 'running');
  });

  t.is(await dataIn(street, 'near'), 'hello again');
  t.deepEqual(await thingsIn(street, 'far'), []);
  t.deepEqual(await street.store.moves(), []);
  await street.live(async (context) => {
    await down(await context.contextOf('near'), { ...shop, data: 'delete' });
  });
  t.deepEqual(await thingsIn(street, 'near'), []);
  street.leave();
});

test('an undo that discards what was written since brings back the data as they were', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await writeTo(street, 'near', 'hello');
  await street.live(goFar);
  await writeTo(street, 'far', 'hello again');

  await street.live((context) => undoMove(context, { ...shop, discards: true }));

  t.is(await dataIn(street, 'near'), 'hello');
  t.true(await isWorking(street, 'near'));
  t.deepEqual(await thingsIn(street, 'far'), []);
  street.leave();
});

test('passwords stay the same', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  const files = async (pool: PoolName): Promise<readonly string[]> =>
    (await street.worlds[pool].things()).flatMap((thing) =>
      thing.kind === 'instance' && thing.key === 'db.1'
        ? thing.files.map(({ content }) => JSON.stringify(JSON.parse(content).secrets))
        : [],
    );
  const before = await files('near');

  await street.live(goFar);

  t.regex(before[0] ?? '', /dbPassword/);
  t.deepEqual(await files('far'), before);
  street.leave();
});

test('status of a deployment that was moved', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await street.live(goFar);

  await street.live(async (context) => {
    const seen = await status(await context.contextOf('far'), 'default', 'shop');
    t.is(seen.state, 'running');
  });

  street.leave();
});
