import { join } from 'node:path';
import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { loadPacked } from '../../engine/packing/load-packed.ts';
import { orStored } from '../../engine/packing/or-stored.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { root } from '../cli/run-cli.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { packedSource } from './packed-source.ts';

test('a delta compiles where its base was stored, and says what it lacks elsewhere', async (t) => {
  const folder = temporaryFolder(t);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'drafts') });
  const whole = await packedSource(join(root, 'test/fixtures/pair'));
  const [lacking] = Object.values(whole.list.files);
  const delta: typeof whole = {
    ...whole,
    readFile: async (digest) => {
      if (digest === lacking?.digest) throw new EngineError('BUNDLE_INCOMPLETE', 'it is in the base');
      return await whole.readFile(digest);
    },
  };
  const loading = () => loadPacked('x.sheaf', orStored(delta, blobs), null, join(folder, 'scratch'));

  await t.throwsAsync(loading, { instanceOf: EngineError, code: 'BUNDLE_INCOMPLETE' });
  if (lacking !== undefined) await blobs.write(await whole.readFile(lacking.digest));
  const { compiled } = await loading();

  t.deepEqual(compiled.problems, []);
});
