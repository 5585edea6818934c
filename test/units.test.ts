import test from 'ava';
import fc from 'fast-check';
import { canonicalJson, digestOf, isDigest } from '../engine/digest.ts';
import { EngineError, errorTable, exitCodeOf } from '../engine/errors.ts';
import { hasErrors, type Problem, sortProblems } from '../engine/problems.ts';
import { formatSize, parseDuration, parseSize } from '../engine/units.ts';

test('sizes are binary; a decimal unit is refused with the one that was meant', (t) => {
  t.deepEqual(parseSize('1.5GiB'), { value: 1.5 * 2 ** 30 });
  t.deepEqual(parseSize('0 B'), { value: 0 });
  t.deepEqual(parseSize('5GB'), {
    message: '"5GB" has no unit that Sheaf knows',
    hint: 'Write 5GiB; sizes are in binary units.',
  });
  for (const text of ['', '5', 'GiB', '-1GiB', '1e3MiB', '0.5B', '99999999TiB', '5GiBs'])
    t.true('message' in parseSize(text), text);
});

test('durations are whole milliseconds', (t) => {
  t.deepEqual(parseDuration('1.5s'), { value: 1500 });
  t.deepEqual(parseDuration('2h'), { value: 7_200_000 });
  for (const text of ['', '5', '5y', '0.5ms', '-1s']) t.true('message' in parseDuration(text), text);
});

test('a size that is written in MiB is read back', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 20 }), (amount) => {
      const parsed = parseSize(`${amount}MiB`);
      return 'value' in parsed && parsed.value === amount * 2 ** 20;
    }),
  );
  t.is(formatSize(1536 * 2 ** 20), '1.5 GiB');
  t.is(formatSize(0), '0 B');
});

test('equal values have equal canonical JSON, whatever the order of their keys', (t) => {
  t.is(
    canonicalJson({ b: [1, undefined], a: { d: null, c: 'ü' }, z: undefined }),
    '{"a":{"c":"ü","d":null},"b":[1,null]}',
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      return canonicalJson(JSON.parse(text)) === text;
    }),
  );
});

test('a digest is sha256 and 64 small hexadecimal digits', (t) => {
  t.is(digestOf(''), 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  t.true(isDigest(digestOf('x')));
  t.false(isDigest('sha256:E3'));
});

test('problems are sorted by place; warnings alone are no errors', (t) => {
  const problem = (file: string, line: number, severity: Problem['severity']): Problem => ({
    file,
    line,
    column: 1,
    code: 'KEY_UNKNOWN',
    severity,
    message: '',
  });
  const problems = [problem('b', 1, 'error'), problem('a', 10, 'warning'), problem('a', 9, 'warning')];

  const sorted = sortProblems(problems);

  t.deepEqual(
    sorted.map(({ file, line }) => `${file}:${line}`),
    ['a:9', 'a:10', 'b:1'],
  );
  t.true(hasErrors(problems));
  t.false(hasErrors(sorted.slice(0, 2)));
});

test('every error code has an exit code of its own, none of those that mean something else', (t) => {
  const exits = Object.values(errorTable).map((row) => row.exit);

  t.is(new Set(exits).size, exits.length);
  t.true(exits.every((exit) => exit >= 1 && exit <= 125 && (exit < 121 || exit === 120)));
  t.is(exitCodeOf(new EngineError('DEPLOYMENT_MISSING', '')), 4);
  t.is(exitCodeOf(new TypeError()), 99);
});
