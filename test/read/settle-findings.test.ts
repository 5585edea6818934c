import test from 'ava';
import type { Finding } from '../../engine/model/finding.ts';
import { maxProblems, settleFindings } from '../../engine/read/settle-findings.ts';

const text = { file: 'a.yaml', text: 'one: 1\ntwo: {three: 3}\n' };

test('problems come sorted by place, each once', (t) => {
  const at = (path: readonly string[]): Finding => ({
    code: 'KEY_UNKNOWN',
    at: { text, path, part: 'key' },
    message: path.join('.'),
  });

  const problems = settleFindings([
    at(['two', 'three']),
    at(['two']),
    { code: 'LOCK_STALE', at: { file: 'a.yaml', line: 1, column: 9 }, message: 'stale' },
    at(['two', 'three']),
  ]);

  t.deepEqual(
    problems.map(({ line, column, severity, message }) => `${line}:${column} ${severity} ${message}`),
    ['1:9 warning stale', '2:1 error two', '2:7 error two.three'],
  );
});

test('more problems than anybody reads are not shown', (t) => {
  const findings = Array.from(
    { length: maxProblems + 5 },
    (_, index): Finding => ({
      code: 'KEY_UNKNOWN',
      at: { file: 'a.yaml', line: index + 1, column: 1 },
      message: 'x',
    }),
  );

  const problems = settleFindings(findings);

  t.is(problems.length, maxProblems + 1);
  t.is(problems.at(-1)?.code, 'PROBLEMS_OMITTED');
  t.is(problems.at(-1)?.message, 'there are more than 1000 problems; the others are not shown');
});
