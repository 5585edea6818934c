import test from 'ava';
import fc from 'fast-check';
import { findCycles } from '../../engine/compile/find-cycles.ts';

const edge = fc.record({ from: fc.nat(11), to: fc.nat(11) });

test('cutting the last edge of every cycle that is found leaves none', (t) => {
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 24 }), (edges) => {
      const cycles = findCycles(edges);

      const cut = new Set(cycles.map((cycle) => cycle.at(-1)));
      t.true(cycles.length === 20 || isAcyclic(edges.filter((each) => !cut.has(each))));
      t.is(cycles.length === 0, isAcyclic(edges));
    }),
    { numRuns: 1000 },
  );
});

test('a cycle is a closed path that begins at its smallest vertex', (t) => {
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 30 }), (edges) => {
      for (const cycle of findCycles(edges)) {
        const [first] = cycle;
        cycle.forEach((each, index) => {
          t.true(each.to === (cycle[index + 1] ?? first)?.from);
          t.true(each.from >= (first?.from ?? 0));
        });
      }
    }),
    { numRuns: 500 },
  );
});

test('equal graphs give equal cycles, in whatever order their edges come', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(edge, { maxLength: 20, selector: ({ from, to }) => `${from} ${to}` }),
      (edges) => {
        const paths = (list: typeof edges) =>
          findCycles(list).map((cycle) => cycle.map(({ from }) => from).join(' '));

        t.deepEqual(paths(edges), paths(edges.toReversed()));
      },
    ),
    { numRuns: 500 },
  );
});

test('a cycle of a hundred thousand does not overflow the stack', (t) => {
  const count = 100_000;
  const ring = Array.from({ length: count }, (_, from) => ({ from, to: (from + 1) % count }));

  const [cycle] = findCycles(ring);

  t.is(cycle?.length, count);
});

/** Takes away vertices that nothing leads to until none is left; what remains is on or behind a cycle. */
function isAcyclic(edges: readonly { readonly from: number; readonly to: number }[]): boolean {
  let rest = edges;
  for (;;) {
    const targets = new Set(rest.map(({ to }) => to));
    const fewer = rest.filter(({ from }) => targets.has(from));
    if (fewer.length === rest.length) return rest.length === 0;
    rest = fewer;
  }
}
