import type { Driver } from '../drivers/driver.ts';
import { EngineError } from '../errors.ts';
import type { Report } from '../model/event.ts';
import type { Pool } from '../model/pool.ts';
import type { Pruned, PruneLimits } from '../model/pruned.ts';

/** What is pruned, and how far. */
export type PruneSubject = {
  readonly pools: readonly Pool[];
  readonly openDriver: (pool: Pool) => Promise<Driver>;
  readonly pruneBlobs: (limits: PruneLimits) => Promise<Pruned>;
  readonly clock: () => number;
  readonly report: Report;
  readonly signal: AbortSignal;
};

/** What somebody wants to be rid of. */
export type PruneRequest = {
  /** Images, kits and contents that no deployment needs go when they were not used for so long; they stay when absent. */
  readonly unusedForMs?: number;
  /** Whether things are counted and left. */
  readonly isTrial: boolean;
};

/** What went, or would go. */
export type PruneAnswer = {
  readonly isTrial: boolean;
  readonly bytes: number;
  /** Layers, parts of kits, manifests and the like. */
  readonly blobs: Pruned;
  /** What drivers had made of them. */
  readonly pools: readonly (Pruned & { readonly name: string })[];
};

// whoever works on something has used it more lately than this
const graceMs = 3_600_000;

/**
 * Removes what only takes room: what nothing names, and what drivers made and no deployment has.
 *
 * What was used within the last hour stays, so others may work meanwhile. A pool that cannot be asked is told and passed over.
 */
export async function prune(subject: PruneSubject, request: PruneRequest): Promise<PruneAnswer> {
  const { isTrial, unusedForMs } = request;
  const now = subject.clock();
  const limits: PruneLimits = {
    unnamedSince: now - graceMs,
    ...(unusedForMs !== undefined && { unusedSince: now - Math.max(unusedForMs, graceMs) }),
    isTrial,
  };
  const pools: (Pruned & { readonly name: string })[] = [];
  for (const pool of subject.pools) {
    try {
      const driver = await subject.openDriver(pool);
      pools.push({ name: pool.name, ...(await driver.prune(limits, subject.signal)) });
    } catch (error) {
      if (!(error instanceof EngineError) || subject.signal.aborted) throw error;
      const { code, message } = error;
      subject.report({
        type: 'warning',
        code,
        message: `the pool ${pool.name} is left as it is: ${message}`,
      });
    }
  }
  const blobs = await subject.pruneBlobs(limits);
  const bytes = [blobs, ...pools].reduce((sum, one) => sum + one.bytes, 0);
  return { isTrial, bytes, blobs, pools };
}
