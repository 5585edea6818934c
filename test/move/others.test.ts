import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { resumeMove } from '../../engine/move/move.ts';
import { adopt } from '../../engine/run/adopt.ts';
import { down } from '../../engine/run/down.ts';
import { repair } from '../../engine/run/repair.ts';
import { scale } from '../../engine/run/scale.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { openStore } from '../../engine/store/store.ts';
import { sampleClosure } from '../sample/blueprint.ts';
import { scratchFolder, upRequest } from '../sample/context.ts';
import { type Act, discard, goFar, goUp, rollBack, shop, small, undo } from './acts.ts';
import { newStreet, type Street } from './street.ts';
import { isWorking, writeTo } from './writer.ts';

const others: Readonly<Record<string, Act>> = {
  down: async (context) => await down(await context.contextOf('near'), { ...shop, data: 'delete' }),
  scale: async (context) => await scale(await context.contextOf('near'), { ...shop, replicas: { edge: 2 } }),
};

async function codeOf(street: Street, act: Act): Promise<string | undefined> {
  try {
    await street.live(act);
    return undefined;
  } catch (error) {
    return error instanceof EngineError ? error.code : String(error);
  }
}

test('nobody changes a deployment between its move and the decision about it, but to mend it', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await street.live(goFar);
  const far: Readonly<Record<string, Act>> = {
    down: async (context) => await down(await context.contextOf('far'), { ...shop, data: 'delete' }),
    scale: async (context) => await scale(await context.contextOf('far'), { ...shop, replicas: { edge: 2 } }),
  };

  t.is(await codeOf(street, far['down'] ?? goUp), 'MOVE_UNFINISHED');
  t.is(await codeOf(street, far['scale'] ?? goUp), 'MOVE_UNFINISHED');
  for (const thing of await street.worlds.far.things())
    if (thing.key === 'edge.1') await street.worlds.far.put({ ...thing, isOn: false } as typeof thing);
  t.is(
    await codeOf(street, async (context) => await repair(await context.contextOf('far'), shop)),
    undefined,
  );
  t.true(await isWorking(street, 'far'));
  street.leave();
});

test('nobody changes a deployment whose move was cut off, and status says how to go on', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  const { moments } = await street.freeze().open().live(goFar);
  const middle = moments.findIndex((moment) => moment.includes('far before apply'));
  await street.live(goFar, { lastMoment: middle });

  for (const [verb, act] of Object.entries(others)) t.is(await codeOf(street, act), 'MOVE_UNFINISHED', verb);
  await street.live(async (context) => {
    const seen = await status(await context.contextOf('near'), 'default', 'shop');
    t.is(seen.state, 'unfinished');
    t.like(seen.move, { from: 'near', to: 'far', isUndo: false });
  });
  await street.live((context) => resumeMove(context, shop));
  t.true(await isWorking(street, 'far'));
  street.leave();
});

test('while one process moves a deployment another is told who does', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  let told: string | undefined;

  await street.live(goFar, {
    run: { isAlive: () => true },
    interfere: async (pool, moment) => {
      if (`${pool} ${moment}` !== 'far before apply volume db.1/data' || told !== undefined) return;
      await street
        .live(rollBack, { run: { isAlive: () => true }, move: { isAlive: () => true } })
        .catch((error: unknown) => {
          told = error instanceof EngineError ? error.message : String(error);
        });
    },
  });

  t.regex(told ?? '', /shop is being changed by process \d+/);
  street.leave();
});

test('records from before a move do not wake the copy that was moved away', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await writeTo(street, 'near', 'hello');
  const backup = scratchFolder();
  cpSync(street.home, backup, { recursive: true });
  await street.live(goFar);
  const old = openStore(join(backup, 'state.db'));

  const act: Act = async (context) => {
    const near = { ...(await context.contextOf('near')), store: old, isAlive: () => false };
    await up(near, upRequest(small), async () => sampleClosure(small));
  };

  t.is(await codeOf(street, act), 'DEPLOYMENT_MOVED');
  t.deepEqual([await isWorking(street, 'near'), await isWorking(street, 'far')], [false, true]);
  old.close();
  rmSync(backup, { recursive: true, force: true });
  street.leave();
});

test('a copy that was held and adopted without its records is woken only by who says that it is the valid one', async (t) => {
  const street = newStreet();
  await street.live(goUp);
  await street.live(goFar);
  const folder = scratchFolder();
  cpSync(join(street.home, 'key'), join(folder, 'key'));
  const fresh = openStore(join(folder, 'state.db'));
  const life =
    (act: Act): Act =>
    (context) =>
      act({
        ...context,
        store: fresh,
        contextOf: async (pool) => ({ ...(await context.contextOf(pool)), store: fresh }),
      });

  await street.live(life(async (context) => await adopt(await context.contextOf('near'))));

  t.is(await codeOf(street, life(goUp)), 'DEPLOYMENT_MOVED');
  t.is(await codeOf(street, life(undo)), 'DEPLOYMENT_MOVED');
  t.false(await isWorking(street, 'near'));
  t.is(await codeOf(street, life(discard)), undefined);
  t.true(await isWorking(street, 'near'));
  fresh.close();
  street.leave();
});
