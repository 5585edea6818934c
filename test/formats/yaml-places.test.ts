import test from 'ava';
import fc from 'fast-check';
import { writeYaml } from '../../engine/formats/yaml.ts';
import { findPlaces } from '../../engine/formats/yaml-places.ts';
import type { JsonPath } from '../../engine/model/finding.ts';

const text = `# a comment
name: sample
web: {uses: "web@^1", list: [one, {two: 2}]}
quoted "key": 'value'
empty:
block: |
  text
alias: &anchor {inner: 1}
same: *anchor
twice: 1
twice: 2
`;

function placeOf(path: JsonPath, part: 'key' | 'value'): string {
  const [place] = findPlaces(text, [{ path, part }], 64);
  return `${place?.line}:${place?.column}`;
}

test('values and keys are found where they are written', (t) => {
  t.is(placeOf([], 'value'), '2:1');
  t.is(placeOf(['web'], 'key'), '3:1');
  t.is(placeOf(['web'], 'value'), '3:6');
  t.is(placeOf(['web', 'uses'], 'value'), '3:13');
  t.is(placeOf(['web', 'list', 1, 'two'], 'value'), '3:41');
  t.is(placeOf(['web', 'list', '1', 'two'], 'key'), '3:36');
  t.is(placeOf(['quoted "key"'], 'value'), '4:15');
  t.is(placeOf(['block'], 'value'), '7:1');
  t.is(placeOf(['alias'], 'value'), '8:8');
});

test('what is not there is placed at what would hold it', (t) => {
  t.is(placeOf(['web', 'nothing'], 'value'), '3:1');
  t.is(placeOf(['web', 'list', 7, 'deep'], 'value'), '3:23');
  t.is(placeOf(['empty'], 'value'), '5:1');
  t.is(placeOf(['same', 'inner'], 'value'), '9:1');
  t.is(placeOf(['nothing', 'at', 'all'], 'key'), '2:1');
});

test('of duplicate keys the last is found, as it is the one that counts', (t) => {
  t.is(placeOf(['twice'], 'key'), '11:1');
});

test('every key of a written value is found where its text stands', (t) => {
  const key = fc.stringMatching(/^[a-z]{1,8}$/);
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.integer(),
      fc.dictionary(key, tie('value'), { noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, value, { minKeys: 1, noNullPrototype: true }), (document) => {
      const written = writeYaml(document);
      const lines = written.split('\n');
      const paths = keyPaths(document);

      const places = findPlaces(
        written,
        paths.map((path) => ({ path, part: 'key' as const })),
        1000,
      );

      places.forEach(({ line, column }, index) => {
        const name = String(paths[index]?.at(-1));
        const at = (lines[line - 1] ?? '').slice(column - 1);
        t.true(
          at.startsWith(name) || at.startsWith(`'${name}`) || at.startsWith(`"${name}`),
          `${name} in ${at}`,
        );
      });
    }),
    { numRuns: 200 },
  );
});

function keyPaths(value: unknown, path: JsonPath = []): readonly JsonPath[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [...path, key],
    ...keyPaths(inner, [...path, key]),
  ]);
}
