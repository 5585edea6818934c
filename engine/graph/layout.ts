import { createVertexGraph } from '../formats/graphlib.ts';
import { rankVertices } from './rank-vertices.ts';

/** What is laid out: boxes of one width, and arrows between them. */
export type LayoutInput = {
  readonly boxes: readonly { readonly name: string; readonly height: number }[];
  readonly arrows: readonly { readonly from: string; readonly to: string }[];
  readonly boxWidth: number;
  /** Between layers, and between boxes of one layer. */
  readonly gapX: number;
  readonly gapY: number;
};

/** A point in pixels from the upper left corner. */
export type Point = { readonly x: number; readonly y: number };

/** Where everything goes. */
export type Layout = {
  readonly width: number;
  readonly height: number;
  /** Upper left corners by name. */
  readonly boxes: ReadonlyMap<string, Point>;
  /** For each arrow, the points that it passes: from the right side of a box to the left side of another. */
  readonly arrows: readonly (readonly Point[])[];
};

type Slot = { readonly name: string; readonly height: number; y: number };

const sweeps = 32;

/**
 * Lays a graph out in layers from left to right.
 *
 * Arrows that skip layers pass through slots of their own there, so they do not cross boxes. Slots are put in order by
 * the mean position of their neighbours, then moved towards it.
 *
 * @source Sugiyama, Tagawa, Toda 1981, with the barycentre rule
 */
export function layoutGraph(input: LayoutInput): Layout {
  const graph = createVertexGraph();
  for (const { name } of input.boxes) graph.addVertex(name);
  for (const { from, to } of input.arrows) if (from !== to) graph.addEdge(from, to);
  const layerOf = rankVertices(graph);

  const slots = new Map<string, Slot>();
  const layers: Slot[][] = [];
  const neighbours = new Map<Slot, Slot[]>();
  const place = (name: string, height: number, layer: number): Slot => {
    const slot = { name, height, y: 0 };
    slots.set(name, slot);
    neighbours.set(slot, []);
    layers[layer] = [...(layers[layer] ?? []), slot];
    return slot;
  };
  for (const { name, height } of input.boxes) place(name, height, layerOf.get(name) ?? 0);
  const chains = input.arrows.map(({ from, to }, index) => {
    const start = layerOf.get(from) ?? 0;
    const end = layerOf.get(to) ?? 0;
    const chain = [slots.get(from)];
    for (let layer = start + 1; layer < end; layer += 1) chain.push(place(`\0${index}/${layer}`, 0, layer));
    chain.push(slots.get(to));
    return chain.filter((slot) => slot !== undefined);
  });
  for (const chain of chains) {
    for (const [index, slot] of chain.entries()) {
      const next = chain[index + 1];
      if (next === undefined || next === slot) continue;
      neighbours.get(slot)?.push(next);
      neighbours.get(next)?.push(slot);
    }
  }

  for (const layer of layers) pack(layer, input.gapY);
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    for (const layer of sweep % 2 === 0 ? layers : layers.toReversed()) {
      for (const slot of layer) slot.y = meanOf(neighbours.get(slot) ?? [], slot);
      layer.sort((a, b) => centre(a) - centre(b));
      spread(layer, input.gapY);
    }
  }
  const top = Math.min(0, ...[...slots.values()].map((slot) => slot.y));
  for (const slot of slots.values()) slot.y = Math.round(slot.y - top);

  const xOf = (layer: number) => layer * (input.boxWidth + input.gapX);
  const left = (slot: Slot) => xOf(layers.findIndex((layer) => layer.includes(slot)));
  return {
    width: xOf(layers.length - 1) + input.boxWidth,
    height: Math.max(0, ...[...slots.values()].map((slot) => slot.y + slot.height)),
    boxes: new Map(
      input.boxes.map(({ name }) => [name, { x: xOf(layerOf.get(name) ?? 0), y: slots.get(name)?.y ?? 0 }]),
    ),
    arrows: chains.map((chain) =>
      chain.flatMap((slot, index) => {
        const y = centre(slot);
        const x = left(slot);
        if (index === 0) return [{ x: x + input.boxWidth, y }];
        if (index === chain.length - 1) return [{ x, y }];
        return [
          { x, y },
          { x: x + input.boxWidth, y },
        ];
      }),
    ),
  };
}

function centre(slot: Slot): number {
  return slot.y + slot.height / 2;
}

function meanOf(others: readonly Slot[], slot: Slot): number {
  if (others.length === 0) return slot.y;
  return others.reduce((sum, other) => sum + centre(other), 0) / others.length - slot.height / 2;
}

function pack(layer: readonly Slot[], gap: number): void {
  let y = 0;
  for (const slot of layer) {
    slot.y = y;
    y += slot.height + gap;
  }
}

/** Moves slots apart that overlap, and the group as a whole so that nobody's wish counts more than another's. */
function spread(layer: readonly Slot[], gap: number): void {
  const wished = layer.reduce((sum, slot) => sum + slot.y, 0);
  let free = Number.NEGATIVE_INFINITY;
  for (const slot of layer) {
    slot.y = Math.max(slot.y, free);
    free = slot.y + slot.height + gap;
  }
  const shift = (wished - layer.reduce((sum, slot) => sum + slot.y, 0)) / Math.max(1, layer.length);
  for (const slot of layer) slot.y += shift;
}
