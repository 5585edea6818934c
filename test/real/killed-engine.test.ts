import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { folderCells } from '../../engine/drivers/memory/cells.ts';
import { World } from '../../engine/drivers/memory/world.ts';
import { openStore } from '../../engine/store/store.ts';
import { scratchFolder } from '../sample/context.ts';

const rounds = 50;
const script = join(import.meta.dirname, '../run/one-life.ts');

type Life = {
  readonly child: ChildProcess;
  readonly begun: Promise<void>;
  readonly ended: Promise<number | null>;
};

function live(home: string, verb: string): Life {
  const child = spawn(process.execPath, [script, home, verb], { stdio: ['ignore', 'pipe', 'inherit'] });
  const begun = new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, begun, ended };
}

/** Kills a life at a random instant of its work. @returns its exit code, null when it was killed */
async function killSoon(home: string, verb: string, lastsMs: number): Promise<number | null> {
  const { child, begun, ended } = live(home, verb);
  await begun;
  await Promise.race([pause(Math.random() * lastsMs), ended]);
  child.kill('SIGKILL');
  return await ended;
}

async function measure(home: string, verb: string): Promise<number> {
  const { begun, ended } = live(home, verb);
  await begun;
  const start = performance.now();
  await ended;
  return performance.now() - start;
}

test('up and down that are killed by SIGKILL at random instants end in the right state when they are run again', async (t) => {
  const model = scratchFolder();
  const upMs = await measure(model, 'up');
  const downMs = await measure(model, 'delete');
  let killed = 0;

  for (let round = 0; round < rounds; round++) {
    const home = scratchFolder();
    const world = new World(folderCells(join(home, 'world')));
    if ((await killSoon(home, 'up', upMs)) === null) killed++;
    t.is(await live(home, 'up').ended, 0);
    const things = await world.things();
    t.is(things.length, 13);
    t.true(things.every((thing) => thing.fingerprint !== null));

    const end = await killSoon(home, 'delete', downMs);
    if (end === null) killed++;
    const store = openStore(join(home, 'state.db'));
    const isLeft = (await store.deployments()).length > 0;
    if (isLeft) t.is(await live(home, 'delete').ended, 0);
    t.deepEqual(await store.deployments(), []);
    store.close();
    t.deepEqual(await world.things(), []);
    t.deepEqual(readdirSync(home).sort(), ['key', 'state.db', 'world']);
  }
  t.true(killed > rounds / 2, `${killed} of ${2 * rounds} were killed in the middle`);
});
