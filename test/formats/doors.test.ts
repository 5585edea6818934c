import test from 'ava';
import { createVertexGraph } from '../../engine/formats/graphlib.ts';
import { createLineTable } from '../../engine/formats/line-table.ts';
import { nameHint, nearestName } from '../../engine/formats/nearest-name.ts';
import { compilePattern } from '../../engine/formats/pattern.ts';
import { isInRange, isVersion, isVersionRange, newestFirst } from '../../engine/formats/semver.ts';

test('versions are taken only in their canonical form', (t) => {
  t.true(isVersion('1.0.0-rc.1'));
  for (const text of ['v1.0.0', '1.0', ' 1.0.0', '01.0.0', '']) t.false(isVersion(text), text);
});

test('ranges take what npm takes', (t) => {
  for (const text of ['^1', '1.0.0', '>=1.2 <2', '~1.2', '*']) t.true(isVersionRange(text), text);
  t.false(isVersionRange('banana'));
  t.true(isInRange('1.4.0', '^1'));
  t.false(isInRange('2.0.0-rc.1', '^1 || ^2'));
  t.deepEqual(newestFirst(['1.2.0', '1.10.0', '1.10.0-a']), ['1.10.0', '1.10.0-a', '1.2.0']);
});

test('the nearest name is the one that a slip of the hand makes of the word', (t) => {
  const names = ['web', 'database', 'replicas', 'uses', 'Title'];

  t.is(nearestName('wbe', names), 'web');
  t.is(nearestName('replica', names), 'replicas');
  t.is(nearestName('databse', names), 'database');
  t.is(nearestName('title', names), 'Title');
  t.is(nearestName('gateway', names), undefined);
  t.is(nearestName('', names), undefined);
  t.is(nameHint('gateway', ['web']), 'There is web.');
  t.is(nameHint('gateway', []), 'There are none here.');
});

test('patterns match whole values in linear time', (t) => {
  const pattern = compilePattern('(a+)+');
  const hostile = `${'a'.repeat(50_000)}b`;

  t.true('matches' in pattern && pattern.matches('aaa'));
  t.false('matches' in pattern && pattern.matches('aaab'));
  t.false('matches' in pattern && pattern.matches(hostile));
  t.true('fault' in compilePattern('(?=x)'));
  t.true('fault' in compilePattern('('));
});

test('a graph takes names that every object knows', (t) => {
  const graph = createVertexGraph();
  for (const name of ['constructor', '__proto__', 'a']) graph.addVertex(name);

  graph.addEdge('constructor', '__proto__');
  graph.addEdge('a', '__proto__');

  t.deepEqual(graph.vertices(), ['constructor', '__proto__', 'a']);
  t.deepEqual(graph.sourcesOf('__proto__'), ['constructor', 'a']);
  t.deepEqual(graph.targetsOf('constructor'), ['__proto__']);
  t.deepEqual(graph.targetsOf('a'), ['__proto__']);
});

test('lines end at LF, CRLF and CR', (t) => {
  const lines = createLineTable('a\nb\r\nc\rd');

  t.deepEqual(
    [0, 2, 5, 7].map((offset) => lines.placeOf(offset)),
    [
      { line: 1, column: 1 },
      { line: 2, column: 1 },
      { line: 3, column: 1 },
      { line: 4, column: 1 },
    ],
  );
  t.deepEqual(createLineTable('').placeOf(0), { line: 1, column: 1 });
});
