import type { BlueprintAppliance } from '../model/blueprint.ts';
import type { Resources } from '../model/pool.ts';

/** Adds resources up; nothing for an empty list. */
export function sumResources(all: readonly Resources[]): Resources {
  const sum = { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 };
  for (const one of all) {
    sum.cpuMillicores += one.cpuMillicores;
    sum.memoryBytes += one.memoryBytes;
    sum.diskBytes += one.diskBytes;
  }
  return sum;
}

/** Tells what one instance of an appliance takes from its server: its services, its volumes and the driver's overhead. */
export function demandOf(appliance: BlueprintAppliance, overhead: Resources): Resources {
  const disk = appliance.volumes.reduce((sum, volume) => sum + volume.sizeBytes, 0);
  return sumResources([{ ...appliance.resources, diskBytes: disk }, overhead]);
}
