import pLimit from 'p-limit';
import type { DriverContext } from './context.ts';
import { stopAll } from './instance.ts';
import { listRecords } from './record.ts';

const atOnce = 32; // each only waits for its guest

/** Stops all machines of a deployment in good order; their records, disks and logs stay. */
export async function haltInstances(
  context: DriverContext,
  deployment: string,
  signal: AbortSignal,
): Promise<void> {
  const limit = pLimit(atOnce);
  const records = await listRecords(context.layout, deployment, 'instance');
  await Promise.all(
    records.map(({ key, state }) => limit(() => stopAll(context, deployment, key, state, signal))),
  );
}
