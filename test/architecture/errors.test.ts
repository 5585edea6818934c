import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { errorTable } from '../../engine/errors.ts';
import { errorsDocument } from '../../scripts/generate-errors.ts';
import { readSource, root, sourcesUnder } from './imports.ts';

test('docs/errors.md is what node scripts/generate-errors.ts writes', (t) => {
  t.is(readFileSync(join(root, 'docs/errors.md'), 'utf8'), errorsDocument());
});

test('every error code is provoked by a test', (t) => {
  const tests = sourcesUnder('test')
    .filter((file) => !file.startsWith('test/architecture/'))
    .map(readSource)
    .join('\n');

  const unprovoked = Object.keys(errorTable).filter((code) => !new RegExp(`\\b${code}\\b`).test(tests));

  t.deepEqual(unprovoked, []);
});
