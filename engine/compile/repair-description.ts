import { checkSchema, maxFaults } from '../formats/schema.ts';
import type { SchemaFault } from '../formats/schema-fault.ts';
import type { JsonPath } from '../model/finding.ts';
import { memberOf } from '../model/members.ts';
import type { DescriptionKind } from '../model/source.ts';

/** What stands in for a missing or wrong mandatory part of a description, so that the rest can be looked at. */
const standIns: Readonly<Record<DescriptionKind, Readonly<Record<string, unknown>>>> = {
  application: { kind: 'Application', appliances: {} },
  assembly: { kind: 'Assembly', appliances: {} },
  appliance: {
    kind: 'Appliance',
    resources: { cpu: { default: 1 }, memory: { default: '128MiB' } },
    image: { suite: 'bookworm', packages: [] },
  },
};
/** Stand in for entries of lists; what was put there is marked as removed, so nobody looks at it. */
const listStandIns: Readonly<Record<string, unknown>> = {
  wires: '- -> -',
  files: { path: '/-', template: '-' },
};
const headStandIns = { apiVersion: 'sheaf/v1', name: 'unnamed', version: '0.0.0' };

// Taking something out can leave its holder incomplete, which is then taken out too: at most once for each level.
const maxRounds = 12;

/** A value that its schema accepts, and what is missing from it. */
export type Repaired = { readonly value: unknown; readonly removed: ReadonlySet<string> };

/**
 * Takes out of a description whatever breaks its schema.
 *
 * One typing mistake must not hide the other problems of a description, so the passes after this one see everything
 * that is sound. The result is never deployed, since the faults stay reported.
 *
 * @param faults - of the value, at least one
 * @returns undefined when nothing useful remains
 */
export function repairDescription(
  kind: DescriptionKind,
  value: unknown,
  faults: readonly SchemaFault[],
): Repaired | undefined {
  if (faults.length >= maxFaults) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const repaired = structuredClone(value) as Record<string, unknown>;
  const removed = new Set<string>();
  let remaining = faults;
  for (let round = 0; round < maxRounds; round += 1) {
    for (const { culprit } of remaining) {
      if (culprit !== null && culprit.length > 0) {
        removed.add(culprit.join('/'));
        removeAt(repaired, culprit);
      }
    }
    for (const [key, standIn] of Object.entries({ ...headStandIns, ...standIns[kind] })) {
      if (!Object.hasOwn(repaired, key)) repaired[key] = structuredClone(standIn);
    }
    remaining = checkSchema(kind, repaired).filter(({ culprit }) => culprit !== null);
    if (remaining.length === 0) return { value: repaired, removed };
  }
  return undefined;
}

function removeAt(root: Record<string, unknown>, path: JsonPath): void {
  const [list, ...deeper] = path.slice(0, -1);
  const entry = listStandIns[String(list)];
  const holder = path.slice(0, -1).reduce<unknown>((value, step) => memberOf(value, String(step)), root);
  if (!Array.isArray(holder)) {
    if (typeof holder === 'object' && holder !== null) Reflect.deleteProperty(holder, String(path.at(-1)));
  } else if (entry !== undefined && deeper.length === 0) {
    // Leaving it out would move the entries behind it away from the places that their problems name.
    holder[Number(path.at(-1))] = structuredClone(entry);
  } else {
    removeAt(root, path.slice(0, -1));
  }
}
