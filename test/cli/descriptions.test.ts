import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { guestbookPicture } from '../../scripts/generate-graph.ts';
import { root, runCli, temporaryFolder } from './run-cli.ts';
import { violations } from './schemas.ts';

const fixtures = join(root, 'test/fixtures/cli');

test('check --json gives every problem at once, with files relative to the working folder', async (t) => {
  const run = await runCli(['check', 'broken', '--json'], { folder: fixtures });

  t.is(run.code, 1);
  const output = JSON.parse(run.stdout);
  t.deepEqual(violations('check', output), []);
  t.true(output.problems.length >= 2);
  t.true(output.problems.every((problem: { file: string }) => problem.file === 'broken/application.yaml'));
  t.true(output.problems.some((problem: { hint?: string }) => problem.hint?.includes('plain')));
});

test('in a pipe a problem is a line of plain text that editors understand, and the count comes last', async (t) => {
  const run = await runCli(['check', 'broken'], { folder: fixtures });

  t.is(run.code, 1);
  t.false(run.stdout.includes('\x1b'));
  t.regex(run.stdout, /^broken\/application\.yaml:7:\d+: error APPLIANCE_UNKNOWN: /m);
  t.regex(run.stdout, /\n\d+ errors(, \d+ warnings?)?\n$/);
});

test('on a terminal a problem shows its line, a caret and a hint', async (t) => {
  const run = await runCli(['check', 'broken'], { folder: fixtures, terminalColumns: 100 });

  t.is(run.code, 1);
  t.regex(run.stdout, /7 \| .*db: {2}\{uses: plian@\^1\}\r\n +.*\^/);
  t.true(run.stdout.includes('\x1b[31merror\x1b[39m'));
});

test('NO_COLOR leaves a terminal without escape codes', async (t) => {
  const run = await runCli(['check', 'broken'], {
    folder: fixtures,
    terminalColumns: 100,
    environment: { NO_COLOR: '1' },
  });

  t.false(run.stdout.includes('\x1b'));
});

test('what a hostile description says cannot steer the terminal', async (t) => {
  const folder = await temporaryFolder(t);
  await cp(join(fixtures, 'whole'), folder, { recursive: true });
  await writeFile(
    join(folder, 'application.yaml'),
    (await readFile(join(folder, 'application.yaml'), 'utf8')).concat('"\\e]0;mine\\a": 1\n'),
  );

  const run = await runCli(['check', folder], { terminalColumns: 100, environment: { NO_COLOR: '1' } });

  t.is(run.code, 1);
  t.false(run.stdout.includes('\x1b'));
  t.false(run.stdout.includes('\x07'));
});

test('a description without problems exits 0', async (t) => {
  const text = await runCli(['check', 'whole'], { folder: fixtures });
  const json = await runCli(['check', 'whole', '--json'], { folder: fixtures });

  t.deepEqual([text.code, text.stdout], [0, 'no problems\n']);
  t.deepEqual(JSON.parse(json.stdout), { problems: [] });
});

test('the guest book has no problems', async (t) => {
  const run = await runCli(['check', 'applications/guestbook']);

  t.deepEqual([run.code, run.stdout, run.stderr], [0, 'no problems\n', '']);
});

test('graph draws in every format', async (t) => {
  const begins = {
    text: /front/,
    mermaid: /^(flowchart|graph) /,
    dot: /^digraph /,
    json: /^\{/,
    svg: /^<(\?xml|svg)/,
  };

  for (const [format, beginning] of Object.entries(begins)) {
    const run = await runCli(['graph', 'whole', '--format', format], { folder: fixtures });
    t.is(run.code, 0);
    t.regex(run.stdout, beginning);
  }
});

test('the picture in the README is what graph draws now (node scripts/generate-graph.ts)', async (t) => {
  t.is(await readFile(join(root, 'docs/guestbook.svg'), 'utf8'), guestbookPicture());
});

test('a graph that cannot be drawn is refused with all problems', async (t) => {
  const text = await runCli(['graph', 'broken'], { folder: fixtures });
  const json = await runCli(['graph', 'broken', '--json'], { folder: fixtures });

  t.is(text.code, 1);
  t.regex(text.stderr, /application\.yaml:7:\d+: error APPLIANCE_UNKNOWN/);
  t.regex(text.stderr, /error INPUT_INVALID/);
  t.is(json.code, 1);
  const output = JSON.parse(json.stdout);
  t.deepEqual(violations('error', output), []);
  t.is(output.error.details.problems[0].file, 'broken/application.yaml');
});

test('lock writes sheaf.lock once and then finds it up to date', async (t) => {
  const folder = await temporaryFolder(t);
  await cp(join(fixtures, 'whole'), folder, { recursive: true });

  const first = await runCli(['lock', folder, '--json']);
  const second = await runCli(['lock', folder]);

  t.is(first.code, 0);
  t.deepEqual(violations('lock', JSON.parse(first.stdout)), []);
  t.regex(second.stdout, /sheaf\.lock is up to date/);
});

test('a source that is not there exits 3', async (t) => {
  const run = await runCli(['graph', join(fixtures, 'nothing'), '--json']);

  t.is(run.code, 3);
  t.is(JSON.parse(run.stdout).error.code, 'SOURCE_MISSING');
});
