import test from 'ava';
import fc from 'fast-check';
import { layoutGraph } from '../../engine/graph/layout.ts';

const boxWidth = 100;
const sizes = { boxWidth, gapX: 50, gapY: 10 };

test('boxes never overlap, and arrows run from left to right unless the graph has a cycle', (t) => {
  const graph = fc.record({
    heights: fc.array(fc.integer({ min: 20, max: 60 }), { minLength: 1, maxLength: 12 }),
    arrows: fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 20 }),
  });
  fc.assert(
    fc.property(graph, ({ heights, arrows }) => {
      const boxes = heights.map((height, index) => ({ name: `b${index}`, height }));
      const forward = arrows
        .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
        .filter(({ from, to }) => from < to && to < boxes.length)
        .map(({ from, to }) => ({ from: `b${from}`, to: `b${to}` }));

      const layout = layoutGraph({ boxes, arrows: forward, ...sizes });

      const placed = boxes.map(({ name, height }) => ({
        height,
        ...(layout.boxes.get(name) ?? { x: -1, y: -1 }),
      }));
      placed.forEach((a, index) => {
        t.true(a.x >= 0 && a.y >= 0 && a.y + a.height <= layout.height && a.x + boxWidth <= layout.width);
        for (const b of placed.slice(index + 1)) {
          t.true(a.x !== b.x || a.y + a.height < b.y + 1 || b.y + b.height < a.y + 1, JSON.stringify([a, b]));
        }
      });
      for (const points of layout.arrows) {
        points.slice(1).forEach((point, index) => {
          t.true(point.x > (points[index]?.x ?? 0));
        });
      }
    }),
    { numRuns: 300 },
  );
});

test('equal graphs are laid out alike', (t) => {
  const boxes = ['a', 'b', 'c', 'd'].map((name) => ({ name, height: 40 }));
  const arrows = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'a' },
    { from: 'a', to: 'd' },
    { from: 'c', to: 'c' },
  ];

  t.deepEqual(layoutGraph({ boxes, arrows, ...sizes }), layoutGraph({ boxes, arrows, ...sizes }));
});
