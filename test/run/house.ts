import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Cells, memoryCells } from '../../engine/drivers/memory/cells.ts';
import { type MemoryDriverOptions, openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { World } from '../../engine/drivers/memory/world.ts';
import type { Store } from '../../engine/model/store.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { openStore } from '../../engine/store/store.ts';
import { type Life, sampleContext, scratchFolder } from '../sample/context.ts';

/** A home folder with a store, and a pretended provider, that outlive the contexts made on them. */
export type House = {
  readonly home: string;
  readonly cells: Cells;
  readonly store: Store;
  readonly world: World;
  /** Makes a context with a driver of its own. */
  readonly enter: (driver?: Omit<MemoryDriverOptions, 'cells'>, parts?: Partial<RunContext>) => Life;
  /** Takes the home folder away. */
  readonly leave: () => void;
};

/** Makes a house where nobody was yet. */
export function newHouse(): House {
  return houseAt(scratchFolder(), memoryCells());
}

/** Makes a house that is as another one is now. Nobody may be at work in that one. */
export async function houseLike(other: House): Promise<House> {
  const home = scratchFolder();
  cpSync(other.home, home, { recursive: true });
  const cells = memoryCells();
  for (const name of await other.cells.list(''))
    await cells.write(name, (await other.cells.read(name)) ?? '');
  return houseAt(home, cells);
}

function houseAt(home: string, cells: Cells): House {
  const store = openStore(join(home, 'state.db'));
  return {
    home,
    cells,
    store,
    world: new World(cells),
    leave: () => {
      store.close();
      rmSync(home, { recursive: true, force: true });
    },
    enter: (options = {}, parts = {}) =>
      sampleContext({ home, store, driver: openMemoryDriver({ ...options, cells }), ...parts }),
  };
}

/** Names everything that exists, and what of it is finished, by kind and key. */
export async function thingsIn({ world }: House): Promise<readonly string[]> {
  const things = await world.things();
  return things.map(
    ({ kind, key, fingerprint }) => `${kind} ${key}${fingerprint === null ? ' (unfinished)' : ''}`,
  );
}
