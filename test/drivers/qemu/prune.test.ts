import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import { digestOf } from '../../../engine/digest.ts';
import { diskPath, layoutOf } from '../../../engine/drivers/qemu/layout.ts';
import { pruneDisks } from '../../../engine/drivers/qemu/prune.ts';
import { writeRecord } from '../../../engine/drivers/qemu/record.ts';
import { temporaryFolder } from '../../cli/run-cli.ts';

const always = Number.MAX_SAFE_INTEGER;
const needed = digestOf('a layer of a deployment');
const rubbish = digestOf('a layer of nobody');

async function crowdedHome(folder: string) {
  const layout = layoutOf(join(folder, 'qemu'), join(folder, 'run/0123abcd'));
  await mkdir(layout.disks, { recursive: true });
  for (const digest of [needed, rubbish]) await writeFile(diskPath(layout, digest), 'a disk');
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: needed, size: 1 }];
  await writeRecord(layout, 'abcdefghijkl', {
    ...{
      kind: 'image',
      key: 'web@1.0.0',
      generation: 1,
      owner: 'default',
      blueprint: needed,
      fingerprint: null,
    },
    state: { appliance: 'web', kit: needed, layers },
  });
  return layout;
}

test('disks that no deployment has go, and are only counted in a trial', async (t) => {
  const layout = await crowdedHome(await temporaryFolder(t));
  const limits = { unnamedSince: always, isTrial: false };

  const trial = await pruneDisks({ layout }, { ...limits, isTrial: true });
  const inTrial = await readdir(layout.disks);
  const pruned = await pruneDisks({ layout }, limits);

  t.deepEqual([trial, pruned], Array(2).fill({ count: 1, bytes: 'a disk'.length }));
  t.is(inTrial.length, 2);
  t.deepEqual(await readdir(layout.disks), [`${needed.slice('sha256:'.length)}.squashfs`]);
});

test('disks that were used of late stay', async (t) => {
  const layout = await crowdedHome(await temporaryFolder(t));

  const pruned = await pruneDisks({ layout }, { unnamedSince: 0, isTrial: false });

  t.is(pruned.count, 0);
  t.is((await readdir(layout.disks)).length, 2);
});

test('empty runtime folders of homes go, and no others', async (t) => {
  const layout = await crowdedHome(await temporaryFolder(t));
  const root = dirname(dirname(layout.runtime));
  await mkdir(join(root, 'deadbeef/cafecafe'), { recursive: true });
  await mkdir(join(root, 'not-of-a-home'));

  await pruneDisks({ layout }, { unnamedSince: always, isTrial: false });

  t.deepEqual((await readdir(root)).sort(), ['0123abcd', 'not-of-a-home']);
});
