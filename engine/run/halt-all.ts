import pLimit from 'p-limit';
import { EngineError } from '../errors.ts';
import { publicName } from '../model/move.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { asEngineError } from './failure.ts';
import { identityOf } from './identity.ts';

const atOnce = 8;

/**
 * Stops the instances of every deployment in good order, because their server goes down. The decisions stay: `bringAll`
 * brings back what was active.
 *
 * No lease is taken. A server that goes down does not wait, and an operation that is cut off goes on later.
 *
 * @returns the names of those that were stopped
 * @throws EngineError DEPLOYMENTS_FAILED with `details.failed` {name: {code, message}}
 */
export async function haltAll(
  records: readonly DeploymentRecord[],
  contextOf: (record: DeploymentRecord) => Promise<Pick<RunContext, 'driver' | 'signal'>>,
): Promise<readonly string[]> {
  const limit = pLimit(atOnce);
  const failures = new Map<string, EngineError>();
  const active = records.filter(({ spec }) => spec.lifecycle !== 'kept');
  await Promise.all(
    active.map((record) =>
      limit(async () => {
        try {
          const { driver, signal } = await contextOf(record);
          await driver.halt(identityOf(record), signal);
        } catch (cause) {
          failures.set(record.name, asEngineError(cause));
        }
      }),
    ),
  );
  if (failures.size === 0) return [...new Set(active.map(({ name }) => publicName(name)))];
  const lines = [...failures].map(([name, { message }]) => `${name}: ${message}`);
  throw new EngineError('DEPLOYMENTS_FAILED', `not everything was stopped: ${lines.join('; ')}`, {
    hint: 'Run the same command again.',
    details: {
      failed: Object.fromEntries([...failures].map(([name, { code, message }]) => [name, { code, message }])),
    },
  });
}
