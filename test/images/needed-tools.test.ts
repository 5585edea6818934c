import { join } from 'node:path';
import test from 'ava';
import type { Digest } from '../../engine/digest.ts';
import { neededTools } from '../../engine/images/needed-tools.ts';
import type { NeededImage } from '../../engine/model/closure.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const built: NeededImage = {
  name: 'php',
  version: '1.0.0',
  image: { kind: 'packages', suite: 'bookworm', packages: ['php-fpm'] },
  folder: '/appliances/php',
};
const fetched: NeededImage = { ...built, image: { kind: 'oci', ref: `host/name@sha256:${'0'.repeat(64)}` } };

test('what will be made says which programs it takes, all at once', async (t) => {
  const folder = temporaryFolder(t, { 'kit/main.go': 'package main' });
  const sources = join(folder, 'kit');
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'drafts') });
  const refs = { get: (): Digest | undefined => undefined, set: () => undefined };
  const context = { blobs, refs };

  const forAll = await neededTools([built, fetched], sources, context);

  t.true(['go', 'mksquashfs', 'mmdebstrap'].every((tool) => forAll.includes(tool)));
  t.true((await neededTools([built], undefined, context)).includes('mmdebstrap'));
  t.false((await neededTools([built], undefined, context)).includes('go'));
  t.deepEqual(await neededTools([fetched], undefined, context), []);
});
