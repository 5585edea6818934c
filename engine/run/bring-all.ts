import pLimit from 'p-limit';
import { EngineError } from '../errors.ts';
import type { DeploymentRecord } from '../model/store.ts';
import { type BroughtBack, bringBack } from './bring-back.ts';
import type { RunContext } from './context.ts';
import { asEngineError, interrupted } from './failure.ts';

/** One deployment of many that were brought back. */
export type Arrival = { readonly name: string; readonly owner: string; readonly state: BroughtBack };

// each carries out several steps at once already, and a machine that boots keeps a processor busy
const atOnce = 4;

/**
 * Brings every deployment back to what is recorded of it; one that fails leaves the others going on.
 *
 * @param contextOf - made anew for each, since each has a pool of its own
 * @param before - goes on with what stands above a single operation, and gives the record that is valid then
 * @returns in the order of the records, those that were stopped on request too
 * @throws EngineError DEPLOYMENTS_FAILED with `details.failed` {name: message} and `details.deployments`;
 *   OPERATION_INTERRUPTED
 */
export async function bringAll(
  records: readonly DeploymentRecord[],
  contextOf: (record: DeploymentRecord) => Promise<RunContext>,
  signal: AbortSignal,
  before: (record: DeploymentRecord) => Promise<DeploymentRecord> = async (record) => record,
): Promise<readonly Arrival[]> {
  const limit = pLimit(atOnce);
  const failures = new Map<string, EngineError>();
  const arrivals = await Promise.all(
    records.map((record) =>
      limit(async (): Promise<readonly Arrival[]> => {
        const { name, owner } = record;
        try {
          if (signal.aborted) throw interrupted(name, false);
          const context = await contextOf(await before(record));
          return [{ name, owner, state: await bringBack(context, { owner, name }) }];
        } catch (cause) {
          failures.set(name, asEngineError(cause));
          return [];
        }
      }),
    ),
  );
  const [first] = failures.values();
  if (!first) return arrivals.flat();
  if (signal.aborted) throw interrupted([...failures.keys()].join(', '), false);
  throw failed(failures, arrivals.flat(), first);
}

function failed(
  failures: ReadonlyMap<string, EngineError>,
  deployments: readonly Arrival[],
  cause: EngineError,
): EngineError {
  const lines = [...failures].map(([name, { message }]) => `${name}: ${message}`);
  const all = failures.size + deployments.length;
  return new EngineError(
    'DEPLOYMENTS_FAILED',
    `${failures.size} of ${all} deployments did not come back: ${lines.join('; ')}`,
    {
      hint: cause.hint ?? 'Run the same command again to go on from here.',
      details: {
        failed: Object.fromEntries(
          [...failures].map(([name, { code, message, hint }]) => [name, { code, message, hint }]),
        ),
        deployments,
      },
      cause,
    },
  );
}
