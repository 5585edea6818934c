import { lstatSync } from 'node:fs';
import test from 'ava';
import { runCli } from './run-cli.ts';

test('a home that this user may not write is ROOT_REQUIRED, with the folder and what to do', async (t) => {
  const run = await runCli(['status', '--json', '--home', '/sys/sheaf']);

  t.is(run.code, 16);
  t.like(JSON.parse(run.stdout).error, { code: 'ROOT_REQUIRED' });
  t.regex(run.stdout, /\/sys\/sheaf cannot be written/);
  t.is(lstatSync('/sys/sheaf', { throwIfNoEntry: false }), undefined);
});
