import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Cells, memoryCells } from '../../engine/drivers/memory/cells.ts';
import { type MemoryDriverOptions, openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { World } from '../../engine/drivers/memory/world.ts';
import type { EventBody } from '../../engine/model/event.ts';
import type { Pool } from '../../engine/model/pool.ts';
import type { Store } from '../../engine/model/store.ts';
import type { MoveContext } from '../../engine/move/context.ts';
import { volumeCopier } from '../../engine/move/copy-volume.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { openStore } from '../../engine/store/store.ts';
import { sampleContext, scratchFolder } from '../sample/context.ts';
import { mortal } from '../sample/mortal.ts';

/** Two pools with one store, which outlive those who work on them. */
export type Street = {
  readonly home: string;
  readonly store: Store;
  readonly worlds: Readonly<Record<PoolName, World>>;
  /** Lives one life of the program, killed at a moment; those who lived before are dead. */
  readonly live: (
    act: (context: MoveContext) => Promise<unknown>,
    parts?: LifeParts,
  ) => Promise<{
    readonly wasKilled: boolean;
    readonly moments: readonly string[];
    readonly events: readonly EventBody[];
  }>;
  readonly leave: () => void;
  /** Makes another one in which all is as it is here now. Nobody may live here meanwhile. */
  readonly copy: () => Promise<Street>;
};

/** What goes otherwise than usual in a life. */
export type LifeParts = {
  readonly lastMoment?: number;
  readonly interfere?: (pool: PoolName, moment: string, signal: AbortSignal) => Promise<void>;
  readonly driver?: Partial<Record<PoolName, Omit<MemoryDriverOptions, 'cells' | 'interfere'>>>;
  readonly run?: Partial<RunContext>;
  readonly move?: Partial<MoveContext>;
};

export type PoolName = 'near' | 'far';
export const pools: Readonly<Record<PoolName, Pool>> = {
  near: { name: 'near', driver: 'memory', range: '10.83.0.0/16' },
  far: { name: 'far', driver: 'memory', range: '10.84.0.0/16' },
};

let lives = 0;

/** Makes two pools where nobody was yet. */
export function newStreet(): Street {
  return streetOf(scratchFolder(), { near: memoryCells(), far: memoryCells() });
}

function streetOf(home: string, cells: Readonly<Record<PoolName, Cells>>): Street {
  const store = openStore(join(home, 'state.db'));
  return {
    home,
    store,
    worlds: { near: new World(cells.near), far: new World(cells.far) },
    live: async (act, parts = {}) => {
      const pid = ++lives;
      const events: EventBody[] = [];
      const who = mortal(
        store,
        (interfere) =>
          openMemoryDriver({
            ...parts.driver?.near,
            cells: cells.near,
            interfere: async (moment, signal) => {
              await interfere(`near ${moment}`);
              await parts.interfere?.('near', moment, signal);
            },
          }),
        parts.lastMoment ?? Number.POSITIVE_INFINITY,
      );
      const far = openMemoryDriver({
        ...parts.driver?.far,
        cells: cells.far,
        interfere: async (moment, signal) => {
          await who.moment(`far ${moment}`);
          await parts.interfere?.('far', moment, signal);
        },
      });
      const drivers = { near: who.driver, far };
      const runContext = (pool: PoolName): RunContext =>
        sampleContext({
          home,
          store: who.store,
          driver: drivers[pool],
          pool: pools[pool],
          holder: { pid, startTicks: 1, bootId: 'boot' },
          isAlive: (holder) => holder.pid === pid,
          limits: { parallelSteps: 3, settleTimeoutMs: 2000, settlePauseMs: 1 },
          report: (event) => void events.push(event),
          ...parts.run,
        }).context;
      const context: MoveContext = {
        ...runContext('near'),
        contextOf: async (pool) => runContext(pool === 'far' ? 'far' : 'near'),
        hasBlob: async () => true,
        copyVolume: volumeCopier({ newKey: () => 'key', scratch: async () => home }),
        ...parts.move,
      };
      const end = await Promise.race([act(context).then(() => 'done'), who.death.then(() => 'killed')]);
      return { wasKilled: end === 'killed', moments: who.moments, events };
    },
    copy: async () => {
      const folder = scratchFolder();
      cpSync(home, folder, { recursive: true });
      return streetOf(folder, { near: await copyOf(cells.near), far: await copyOf(cells.far) });
    },
    leave: () => {
      store.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function copyOf(cells: Cells): Promise<Cells> {
  const copy = memoryCells();
  for (const name of await cells.list('')) await copy.write(name, (await cells.read(name)) ?? '');
  return copy;
}
