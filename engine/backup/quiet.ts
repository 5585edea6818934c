import { EngineError } from '../errors.ts';
import type { DeploymentRecord, Recorded } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { identityOf } from '../run/identity.ts';

/** How long data may stand still: longer than any last pass should take, and no longer than a kit allows. */
const holdMs = 10 * 60_000;

/** An instance and the data volumes that it has. */
export type DataHolder = { readonly instance: string; readonly volumes: readonly string[] };

/**
 * Lists the instances of a deployment that have data.
 *
 * @throws EngineError VOLUME_UNUSABLE when one is a whole disk, or a volume belongs to a replica that is scaled away
 */
export function dataHolders(record: DeploymentRecord, inventory: readonly Recorded[]): readonly DataHolder[] {
  const states = inventory.flatMap((one) => (one.kind === 'instance' ? [one] : []));
  const holders = states.map(({ key, state }) => ({
    instance: key,
    volumes: state.volumes.filter(({ kind }) => kind === 'data').map((volume) => volume.key),
  }));
  const used = new Set(holders.flatMap(({ volumes }) => volumes));
  const disk = states.find(({ state }) => state.boot !== undefined);
  if (disk)
    throw new EngineError(
      'VOLUME_UNUSABLE',
      `${disk.key} is a whole disk, whose data cannot be read from outside`,
    );
  const left = inventory.find(
    (one) => one.kind === 'volume' && one.state.kind === 'data' && !used.has(one.key),
  );
  if (left)
    throw new EngineError(
      'VOLUME_UNUSABLE',
      `the volume ${left.key} of ${record.name} belongs to a replica that is scaled away, and would be left behind`,
      { hint: `Scale up first, with: sheaf scale ${record.name} APPLIANCE=COUNT` },
    );
  return holders.filter(({ volumes }) => volumes.length > 0);
}

/**
 * Lets an act see all data of a deployment as of one moment: hooks are run and file systems stand still meanwhile.
 *
 * @throws EngineError VOLUME_BUSY when one did not stand still until the act had ended; as `Driver.quiesce`
 */
export async function whileQuiet<T>(
  { driver, signal }: RunContext,
  record: DeploymentRecord,
  holders: readonly DataHolder[],
  act: () => Promise<T>,
): Promise<T> {
  const identity = identityOf(record);
  const quiet: string[] = [];
  // on request, too: nobody is left standing still
  const goOn = async (): Promise<readonly boolean[]> =>
    await Promise.all(
      quiet
        .splice(0)
        .map(async (instance) => await driver.resume(identity, instance, new AbortController().signal)),
    );
  try {
    for (const { instance } of holders) {
      quiet.push(instance);
      await driver.quiesce(identity, instance, holdMs, signal);
    }
    const answer = await act();
    if ((await goOn()).every(Boolean)) return answer;
  } finally {
    await goOn().catch(() => undefined); // they go on by themselves when their time is over
  }
  throw new EngineError(
    'VOLUME_BUSY',
    `the data of ${record.name} did not stand still until they were copied`,
    {
      hint: 'Run it again while less is written.',
    },
  );
}
