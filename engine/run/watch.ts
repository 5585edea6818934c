import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import { isUnderWay } from '../model/move.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { driftOf, isUnwell, repairsInAnHour } from './drift.ts';
import { asEngineError } from './failure.ts';
import { identityOf } from './identity.ts';
import { repair } from './repair.ts';
import { hourMs } from './status.ts';

/** How deployments are watched. */
export type WatchLimits = {
  /** Pause between two looks. */
  readonly intervalMs: number;
  /** How long an instance may be unhealthy before it is replaced; what only starts gets that long, too. */
  readonly patienceMs: number;
};

/** Looks at deployments whenever it is asked, and remembers what it saw from one look to the next. */
export type Watch = {
  /** Looks once at some deployments, and repairs what has drifted. Never fails because one of them does. */
  readonly look: (records: readonly DeploymentRecord[]) => Promise<void>;
};

// each repair is an operation of several steps at once
const watchedAtOnce = 4;

/**
 * Watches deployments: tells drift as soon as it is seen, and repairs it.
 *
 * What was repaired three times within an hour is left for a person; that counts across processes, for the journal is
 * asked. Deployments on which somebody works, which have something else unfinished, or which were stopped on request are
 * left alone.
 *
 * @param contextOf - may fail as the pool does
 */
export function openWatch(
  contextOf: (record: DeploymentRecord) => Promise<RunContext>,
  { patienceMs }: Pick<WatchLimits, 'patienceMs'>,
): Watch {
  const limit = pLimit(watchedAtOnce);
  // by id of the deployment: since when instances are unwell, and what was told last
  const unwell = new Map<string, ReadonlyMap<string, number>>();
  const told = new Map<string, string>();

  const tell = ({ report }: RunContext, { id, name }: DeploymentRecord, what: string): void => {
    if (told.get(id) === what) return;
    told.set(id, what);
    if (what !== '') report({ type: 'warning', code: 'NOTE', message: `${name}: ${what}` });
  };

  const lookAt = async (record: DeploymentRecord): Promise<void> => {
    const context = await contextOf(record);
    const { store, driver, clock, isAlive, signal } = context;
    const { id, name, owner, spec } = record;
    const holder = (await store.leaseHolder(id))?.holder ?? null;
    if (holder !== null && isAlive(holder)) return;
    const move = await store.move(owner, name);
    if (move && isUnderWay(move)) {
      tell(context, record, `an unfinished move (${move.phase}) waits for somebody`);
      return;
    }
    const [unfinished] = await store.unfinished(id);
    if (unfinished && unfinished.operation.verb !== 'repair') {
      tell(context, record, `an unfinished ${unfinished.operation.verb} waits for somebody`);
      return;
    }
    if (spec.lifecycle === 'kept' && !unfinished) return;

    const inventory = await store.inventory(id);
    const observation = await driver.observe(identityOf(record), signal);
    const now = clock();
    const since = new Map(
      observation.objects.filter(isUnwell).map(({ key }) => [key, unwell.get(id)?.get(key) ?? now]),
    );
    unwell.set(id, since);
    const isOverdue = (key: string): boolean => now - (since.get(key) ?? now) >= patienceMs;
    const drift = driftOf(inventory, observation).filter(
      ({ what, key }) => what !== 'unhealthy' || isOverdue(key),
    );
    if (drift.length === 0 && !unfinished) {
      tell(context, record, told.get(id) ? 'well again' : '');
      if (since.size === 0) told.delete(id);
      return;
    }
    const seen = drift.map(({ kind, key, what }) => `${kind} ${key} is ${what}`).join(', ');
    const repairs = await store.repairsSince(id, now - hourMs);
    if (repairs >= repairsInAnHour) {
      tell(
        context,
        record,
        `${seen || 'not whole'}; repaired ${repairs} times within an hour, so it is left for a person`,
      );
      return;
    }
    tell(context, record, seen || 'a repair that was cut off goes on');
    await repair(context, { owner, name }, isOverdue);
    unwell.delete(id);
  };

  const look = async (record: DeploymentRecord): Promise<void> => {
    const failed = async (cause: unknown): Promise<void> => {
      const { code, message } = asEngineError(cause);
      // somebody else was quicker, or it was taken away, or watching ends
      if (['DEPLOYMENT_BUSY', 'DEPLOYMENT_MISSING', 'OPERATION_INTERRUPTED'].includes(code)) return;
      const context = await contextOf(record).catch(() => undefined);
      if (context) tell(context, record, `${code}: ${message}`);
    };
    await lookAt(record).catch(failed);
  };

  return {
    look: async (records) => {
      await Promise.all(records.map((record) => limit(() => look(record))));
    },
  };
}

/** Watches until the signal says so. @param list - gives the deployments to look at, each time anew */
export async function watch(
  { look }: Watch,
  list: () => Promise<readonly DeploymentRecord[]>,
  { intervalMs }: Pick<WatchLimits, 'intervalMs'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await look(await list());
    await pause(intervalMs, undefined, { signal }).catch(() => undefined);
  }
}
