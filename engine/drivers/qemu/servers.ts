import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Resources, Server } from '../../model/pool.ts';
import type { DriverContext } from './context.ts';
import { overheadOf } from './machine.ts';
import { listFolder, listRecords } from './record.ts';

const gibibyte = 2 ** 30;

/** Describes this machine, the pool's one server; it is named like the pool. */
export async function localServer(context: DriverContext, signal: AbortSignal): Promise<Server> {
  const { layout, pool } = context;
  const memoryTotal = await totalMemoryBytes();
  const disk = await statfs(layout.home);
  const { name: accelerator } = await context.accelerator(await context.kit(), signal);
  return {
    name: pool,
    capacity: {
      cpuMillicores: availableParallelism() * 1000,
      memoryBytes: memoryTotal - hostShare(memoryTotal),
      diskBytes: Math.max(disk.bavail * disk.bsize - gibibyte, 0),
    },
    used: await usedByDeployments(context, overheadOf(accelerator)),
    labels: {},
    isOpen: true,
  };
}

/** Adds up what the deployments on this machine hold. */
async function usedByDeployments(
  { layout }: Pick<DriverContext, 'layout'>,
  overhead: Resources,
): Promise<Resources> {
  let used: Resources = { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 };
  for (const deployment of await listFolder(layout.deployments)) {
    for (const { state } of await listRecords(layout, deployment, 'instance'))
      used = {
        cpuMillicores: used.cpuMillicores + state.cpuMillicores + overhead.cpuMillicores,
        memoryBytes: used.memoryBytes + state.memoryBytes + overhead.memoryBytes,
        diskBytes: used.diskBytes + overhead.diskBytes,
      };
    for (const { state } of await listRecords(layout, deployment, 'volume'))
      used = { ...used, diskBytes: used.diskBytes + state.sizeBytes };
  }
  return used;
}

/** The machine's own share of its memory: a tenth, from half a GiB to four. */
function hostShare(totalBytes: number): number {
  return Math.min(Math.max(Math.ceil(totalBytes / 10), gibibyte / 2), 4 * gibibyte);
}

async function totalMemoryBytes(): Promise<number> {
  const kibibytes = /^MemTotal:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'latin1'))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}
