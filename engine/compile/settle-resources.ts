import { nameHint } from '../formats/nearest-name.ts';
import type { Range } from '../model/appliance.ts';
import type { Volume } from '../model/blueprint.ts';
import type { FindingSink, Spot } from '../model/finding.ts';
import { formatSize } from '../units.ts';
import { lookUp } from './boundary.ts';
import { membersOutermostFirst, type Part, type Tree, useSpot } from './tree.ts';

/** What an appliance's services get, and its disks. */
export type SettledResources = {
  readonly replicas: number;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly volumes: readonly Volume[];
};

type GivenSize = { readonly bytes: number; readonly at: Spot };

/** Settles replicas, resources and volume sizes, and checks them against the ranges that appliances declare. */
export function settleResources(tree: Tree, sink: FindingSink): ReadonlyMap<Part, SettledResources> {
  const sizes = givenSizes(tree, sink);
  return new Map(tree.parts.map((part) => [part, settlePart(part, sizes.get(part), sink)]));
}

function settlePart(
  part: Part,
  sizes: ReadonlyMap<string, GivenSize> | undefined,
  sink: FindingSink,
): SettledResources {
  const { model } = part.described;
  const { use } = part.parent;
  const { cpuMillicores, memoryBytes } = model.resources;
  const cores = (value: number) => `${value / 1000} cores`;
  if (use.cpuMillicores !== undefined) {
    checkRange(
      use.cpuMillicores,
      cpuMillicores,
      cores,
      `cpu of ${use.name}`,
      useSpot(part.parent, ['resources', 'cpu'], 'value'),
      sink,
    );
  }
  if (use.memoryBytes !== undefined) {
    checkRange(
      use.memoryBytes,
      memoryBytes,
      formatSize,
      `memory of ${use.name}`,
      useSpot(part.parent, ['resources', 'memory'], 'value'),
      sink,
    );
  }
  const replicas = use.replicas ?? 1;
  const volumes = Array.from(
    model.volumes.values(),
    ({ name, kind, mount, sizeBytes, perReplica }): Volume => {
      if (kind === 'data' && replicas > 1 && !perReplica) {
        sink({
          code: 'VOLUME_SHARED',
          at: useSpot(part.parent, ['replicas'], 'value'),
          message: `${replicas} replicas of ${use.name} would share its data volume ${name}`,
          hint: `Run one, or use an appliance whose volume ${name} says perReplica: true.`,
        });
      }
      return { name, kind, sizeBytes: sizes?.get(name)?.bytes ?? sizeBytes.default, mount, perReplica };
    },
  );
  return {
    replicas,
    cpuMillicores: use.cpuMillicores ?? cpuMillicores.default,
    memoryBytes: use.memoryBytes ?? memoryBytes.default,
    volumes,
  };
}

/** Collects the sizes that descriptions give to volumes; what an outer one says counts before what an inner one says. */
function givenSizes(tree: Tree, sink: FindingSink): ReadonlyMap<Part, ReadonlyMap<string, GivenSize>> {
  const sizes = new Map<Part, Map<string, GivenSize>>();
  for (const { member, parent } of membersOutermostFirst(tree)) {
    if (parent.use.volumes.size === 0) continue;
    for (const [name, bytes] of parent.use.volumes) {
      const at = useSpot(parent, ['volumes', name, 'size'], 'value');
      const found = lookUp(member, 'volumes', name);
      if (found === 'silent') continue;
      if ('missing' in found) {
        sink({
          code: 'VOLUME_UNKNOWN',
          at: useSpot(parent, ['volumes', name]),
          message: `${parent.use.name} has no volume ${name}`,
          hint: nameHint(name, found.known),
        });
        continue;
      }
      const range = found.part.described.model.volumes.get(found.name)?.sizeBytes;
      if (range !== undefined)
        checkRange(bytes, range, formatSize, `volume ${name} of ${parent.use.name}`, at, sink);
      const ofPart = sizes.get(found.part) ?? new Map<string, GivenSize>();
      if (!ofPart.has(found.name)) ofPart.set(found.name, { bytes, at });
      sizes.set(found.part, ofPart);
    }
  }
  return sizes;
}

function checkRange(
  value: number,
  range: Range,
  show: (value: number) => string,
  what: string,
  at: Spot,
  sink: FindingSink,
): void {
  if (value >= range.min && value <= range.max) return;
  const isBelow = value < range.min;
  sink({
    code: 'RESOURCE_OUTSIDE',
    at,
    message: `the ${what} is ${show(value)}, ${isBelow ? 'below the minimum' : 'above the maximum'} of ${show(isBelow ? range.min : range.max)}`,
    hint: `Give ${isBelow ? 'at least' : 'at most'} ${show(isBelow ? range.min : range.max)}.`,
  });
}
