import type { Resources, Server } from '../../model/pool.ts';
import type { DriverContext } from './context.ts';
import { supervisorBytes } from './instance.ts';
import { labelNames } from './labels.ts';
import { readRecords, recordsOf } from './records.ts';

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/**
 * What one instance costs beyond its appliance's resources: the supervisor, the sandbox, and what the Engine keeps beside each of both
 * containers (about 12 MiB were measured).
 */
export const overhead: Resources = {
  cpuMillicores: 0,
  memoryBytes: supervisorBytes + 32 * mebibyte,
  diskBytes: 16 * mebibyte,
};

// the API does not tell how much room there is; a disk that is full is told when it is
const unknownDisk = 2 ** 50;

/** Describes the one server of the pool: the Docker Engine. */
export async function engineServer(context: DriverContext, signal: AbortSignal): Promise<Server> {
  const { cpus, memoryBytes } = await context.api.facts(signal);
  const ownShare = Math.min(Math.max(Math.ceil(memoryBytes / 10), gibibyte / 2), 4 * gibibyte);
  return {
    name: context.pool,
    capacity: {
      cpuMillicores: cpus * 1000,
      memoryBytes: Math.max(memoryBytes - ownShare, 0),
      diskBytes: unknownDisk,
    },
    used: await usedOn(context, signal),
    labels: {},
    isOpen: true,
  };
}

async function usedOn(context: DriverContext, signal: AbortSignal): Promise<Resources> {
  const keepers = await context.api.containers([`${labelNames.role}=records`], signal);
  let used: Resources = { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 };
  for (const { labels } of keepers) {
    const records = await readRecords(context, labels[labelNames.deployment] ?? '');
    for (const { state } of recordsOf(records, 'instance'))
      used = {
        cpuMillicores: used.cpuMillicores + state.cpuMillicores,
        memoryBytes: used.memoryBytes + state.memoryBytes + overhead.memoryBytes,
        diskBytes: used.diskBytes + overhead.diskBytes,
      };
    for (const { state } of recordsOf(records, 'volume'))
      used = { ...used, diskBytes: used.diskBytes + state.sizeBytes };
  }
  return used;
}
