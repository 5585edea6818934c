import type { FindingSink } from '../model/finding.ts';
import { type Tree, useSpot } from './tree.ts';

/** Refuses on an assembly in use what only its parts can take. */
export function checkAssemblyUses(tree: Tree, sink: FindingSink): void {
  for (const { parent } of tree.scopes) {
    if (parent === null) continue;
    const { replicas, spread, cpuMillicores, memoryBytes } = parent.use;
    const given = {
      replicas,
      spread,
      resources: cpuMillicores ?? memoryBytes,
    };
    for (const [key, value] of Object.entries(given)) {
      if (value === undefined) continue;
      sink({
        code: 'ASSEMBLY_REPLICATED',
        at: useSpot(parent, [key]),
        message: `${parent.use.name} is an assembly, and takes no ${key}`,
        hint: `Give ${key} to the appliances inside of it.`,
      });
    }
  }
}
