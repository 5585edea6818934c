import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { createProgram } from '../../cli/program.ts';
import { manualPage } from '../../scripts/generate-manual.ts';
import { root } from './imports.ts';

test('docs/sheaf.1 is what node scripts/generate-manual.ts writes', (t) => {
  t.is(readFileSync(join(root, 'docs/sheaf.1'), 'utf8'), manualPage());
});

test('the manual has an example for every verb', (t) => {
  const manual = manualPage();
  const program = createProgram(async () => undefined);

  const silent = program
    .createHelp()
    .visibleCommands(program)
    .filter((verb) => verb.name() !== 'help' && !manual.includes(`\n$ sheaf ${verb.name()}`));

  t.deepEqual(
    silent.map((verb) => verb.name()),
    [],
  );
});
