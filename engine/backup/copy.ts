import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ListenAddress } from '../model/allocation.ts';
import type { DeploymentStatus } from '../model/status.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { identityOf } from '../run/identity.ts';
import { recordedParts } from '../run/recorded-parts.ts';
import { asDescribed } from '../run/scaled.ts';
import { deploymentMissing, status } from '../run/status.ts';
import { type PassMemory, syncVolume } from '../volumes/sync-volume.ts';
import type { BackupParts } from './back-up.ts';
import { makeFilled } from './fill.ts';
import { dataHolders, whileQuiet } from './quiet.ts';
import { openSecrets, requireRunning } from './source.ts';

/** Asks for a second deployment with the data of one that runs. */
export type CopyRequest = {
  readonly owner: string;
  readonly name: string;
  /** Name of the new deployment. */
  readonly as: string;
  readonly expose: Readonly<Record<string, ListenAddress>>;
};

/**
 * Makes a second deployment of what another one runs, with its data and secrets, and with identities and addresses of its own.
 *
 * The source goes on working; its services stand still while the last changes are copied. The same call goes on after a kill.
 *
 * @param source - the context of the pool on which the source is
 * @param target - of the pool for the new one
 * @returns the status of the new one when every instance is healthy
 * @throws EngineError DEPLOYMENT_MISSING, INPUT_REFUSED when the source does not run; as `makeFilled`, and `syncVolume`
 */
export async function copy(
  source: RunContext,
  target: RunContext,
  parts: BackupParts,
  { owner, name, as, expose }: CopyRequest,
): Promise<DeploymentStatus> {
  const record = await source.store.deployment(owner, name);
  if (!record) throw deploymentMissing(name);
  await requireRunning(source, { owner, name });
  const inventory = await source.store.inventory(record.id);
  const holders = dataHolders(record, inventory);
  const { blueprint, inputs } = record.spec;
  const scale = inputs.scale ?? {};
  const scratch = join(parts.scratch, randomUUID());
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    await makeFilled(
      target,
      {
        request: {
          owner,
          name: as,
          blueprint: asDescribed(blueprint, scale),
          inputs: { set: inputs.set, expose, ...(inputs.scale && { scale }) },
        },
        parts: recordedParts(blueprint, inventory, name),
        secrets: await openSecrets(source, record),
        filling: { from: 'copy', id: record.id },
      },
      async (made) => {
        const keys = holders.flatMap(({ volumes }) => volumes);
        const pairs = new Map(keys.map((key) => [key, randomBytes(32).toString('hex')]));
        const one = { source, record, target, made, scratch };
        const memories = new Map<string, PassMemory>();
        for (const [key, marksKey] of pairs) memories.set(key, await pass(one, key, marksKey, 1));
        await whileQuiet(source, record, holders, async () => {
          for (const [key, marksKey] of pairs) await pass(one, key, marksKey, 0, memories.get(key));
        });
      },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return await status(target, owner, as);
}

async function pass(
  one: {
    readonly source: RunContext;
    readonly record: DeploymentRecord;
    readonly target: RunContext;
    readonly made: DeploymentRecord;
    readonly scratch: string;
  },
  key: string,
  marksKey: string,
  number: number,
  previous?: PassMemory,
): Promise<PassMemory> {
  const { source, record, target, made, scratch } = one;
  const { report, signal } = target;
  const told = {
    type: 'copy',
    deployment: made.name,
    volume: key,
    pass: number,
    isLast: number === 0,
  } as const;
  const from = await source.driver.openVolume(identityOf(record), key, signal);
  try {
    const to = await target.driver.openVolume(identityOf(made), key, signal);
    try {
      report({ ...told, state: 'started', bytes: 0 });
      const { carriedBytes, memory } = await syncVolume({
        ...{ source: from, target: to, key: marksKey, scratch, ...(previous && { previous }) },
        progress: ({ bytes }) => report({ ...told, state: 'progress', bytes }),
      });
      report({ ...told, state: 'done', bytes: carriedBytes });
      return memory;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}
