import test from 'ava';
import fc from 'fast-check';
import { descriptionLimits, parseYaml } from '../../engine/formats/parse-yaml.ts';
import { writeYaml } from '../../engine/formats/yaml.ts';

const limits = descriptionLimits;

function told(text: string, bounds = limits): readonly string[] {
  return parseYaml(text, bounds).problems.map(({ code, line, column }) => `${line}:${column} ${code}`);
}

test('a value that was written is read again', (t) => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { minKeys: 1 }), (value) => {
      const text = writeYaml(value);

      const { value: again, problems } = parseYaml(text, limits);

      t.deepEqual(problems, []);
      t.is(JSON.stringify(again), JSON.stringify({ ...value }));
    }),
    { numRuns: 300 },
  );
});

test('no text makes the reader throw', (t) => {
  const marks = fc.constantFrom(
    '-',
    ':',
    '?',
    '&a',
    '*a',
    '!',
    '|',
    '>',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ',',
    '#',
    '%',
    '\n',
    '  ',
    '\t',
    '---',
    '<<',
    'a',
    '1',
    '\0',
    '\ufeff',
    '\ud800',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(marks, { maxLength: 60 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { value, problems } = parseYaml(text, limits);

      t.true(value !== undefined || problems.length > 0);
      for (const { line, column } of problems) t.true(line >= 1 && column >= 1);
    }),
    { numRuns: 2000 },
  );
});

test('places lie inside of the text even where nothing is written', (t) => {
  t.deepEqual(told('a: 1\n---\n'), ['3:1 YAML_MANY']);
  t.deepEqual(told(': 1\n: 2\n'), ['1:1 KEY_DUPLICATE']);
});

test('every duplicate key is told, and the last one counts', (t) => {
  const text = 'a: 1\nb: {c: 1, c: 2, "c": 3}\na: 4\n';

  const { value, problems } = parseYaml(text, limits);

  t.deepEqual(value, { a: 4, b: { c: 3 } });
  t.deepEqual(
    problems.map(({ line, column }) => [line, column]),
    [
      [2, 11],
      [2, 17],
      [3, 1],
    ],
  );
});

test('a key named __proto__ is a key like any other', (t) => {
  const { value } = parseYaml('__proto__: {polluted: true}\n', limits);

  t.true(Object.hasOwn(value as object, '__proto__'));
  t.is((value as { polluted?: boolean }).polluted, undefined);
});

test('texts beyond a limit are refused before they are parsed', (t) => {
  t.deepEqual(told('a: äöü', { ...limits, maxBytes: 8 }), ['1:1 TEXT_TOO_LARGE']);
  t.deepEqual(told('a: äö', { ...limits, maxBytes: 8 }), []);
  t.deepEqual(told(`[${'a,'.repeat(2_100_000)}a]`), ['1:1 TEXT_TOO_LARGE']);
});

test('nesting beyond the limit is refused', (t) => {
  t.deepEqual(told(`${'['.repeat(64)}${']'.repeat(64)}`), ['1:64 YAML_BROKEN']);
  t.deepEqual(told(`${'['.repeat(63)}${']'.repeat(63)}`), []);
});

test('an alias counts again for every alias inside of what it stands for', (t) => {
  const ten = (name: string) => `[${Array.from({ length: 10 }, () => `*${name}`).join(', ')}]`;

  t.deepEqual(told(`a: &a [1]\nb: ${ten('a')}\n`), []);
  t.deepEqual(told(`a: &a [1]\nb: &b ${ten('a')}\nc: ${ten('b')}\n`), ['3:37 YAML_ALIASES']);
});

test('an alias of a large node is refused when it repeats too much', (t) => {
  const large = `[${'x,'.repeat(60_000)}x]`;

  t.deepEqual(told(`a: &a ${large}\nb: *a\n`), []);
  t.deepEqual(told(`a: &a ${large}\nb: *a\nc: *a\n`), ['3:4 YAML_ALIASES']);
});

test('a byte order mark and line ends of any kind do not move places', (t) => {
  t.deepEqual(told('a: 1\r\nb: 2\r\nb: 3\r\n'), ['3:1 KEY_DUPLICATE']);
  t.deepEqual(told('a: 1\rb: 2\rb: 3\r'), ['3:1 KEY_DUPLICATE']);
});
