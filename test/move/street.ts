import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cells } from '../../engine/drivers/memory/cells.ts';
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
  /** Takes down how all is at this instant, as a kill would leave it. */
  readonly freeze: () => Frozen;
};

/** How a street was at one instant. */
export type Frozen = {
  /** The same of two instants between which nothing was written. */
  readonly digest: string;
  /** Makes a street in which all is so. */
  readonly open: () => Street;
};

/** What goes otherwise than usual in a life. */
export type LifeParts = {
  readonly lastMoment?: number;
  /** Sees all as a kill at each moment would leave it. */
  readonly witness?: (moment: string) => void;
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
  return streetOf(scratchFolder(), { near: new Map(), far: new Map() });
}

function streetOf(home: string, texts: Readonly<Record<PoolName, Map<string, string>>>): Street {
  const cells = { near: cellsOf(texts.near), far: cellsOf(texts.far) };
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
        parts.witness,
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
    freeze: () => {
      const folder = scratchFolder();
      // what a pass has spooled dies with its process
      cpSync(home, folder, { recursive: true, filter: (file) => !/\.lines$|-shm$/.test(file) });
      const frozen = { near: new Map(texts.near), far: new Map(texts.far) };
      const hash = createHash('sha256').update(JSON.stringify([[...frozen.near], [...frozen.far]]));
      for (const name of readdirSync(folder).toSorted())
        hash.update(name).update(readFileSync(join(folder, name)));
      return { digest: hash.digest('hex'), open: () => streetOf(folder, frozen) };
    },
    leave: () => {
      store.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function cellsOf(texts: Map<string, string>): Cells {
  return {
    list: async (prefix) => [...texts.keys()].filter((name) => name.startsWith(prefix)).toSorted(),
    read: async (name) => texts.get(name),
    write: async (name, text) => void texts.set(name, text),
    remove: async (name) => void texts.delete(name),
  };
}
