import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { errorsDocument } from '../../scripts/generate-errors.ts';
import { root } from './imports.ts';

test('docs/errors.md is what node scripts/generate-errors.ts writes', (t) => {
  t.is(readFileSync(join(root, 'docs/errors.md'), 'utf8'), errorsDocument());
});
