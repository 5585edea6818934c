import { openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { sampleContext } from '../sample/context.ts';
import { mortal } from '../sample/mortal.ts';
import type { House } from './house.ts';

/** How a life of the program ended. */
export type End = { readonly wasKilled: boolean; readonly moments: readonly string[] };

let lives = 0;

/**
 * Lives one life of the program in a house, killed at a moment; those who lived there before are dead.
 *
 * @param lastMoment - from 1; nobody is killed when absent
 */
export async function liveIn(
  house: House,
  act: (context: RunContext) => Promise<unknown>,
  lastMoment = Number.POSITIVE_INFINITY,
): Promise<End> {
  const pid = ++lives;
  const { store, driver, death, moments } = mortal(
    house.store,
    (interfere) => openMemoryDriver({ cells: house.cells, interfere }),
    lastMoment,
  );
  const { context } = sampleContext({
    home: house.home,
    store,
    driver,
    holder: { pid, startTicks: 1, bootId: 'boot' },
    isAlive: (holder) => holder.pid === pid,
    limits: { parallelSteps: 3, settleTimeoutMs: 2000, settlePauseMs: 1 },
  });
  const end = await Promise.race([act(context).then(() => 'done'), death.then(() => 'killed')]);
  return { wasKilled: end === 'killed', moments };
}
