import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { openControlGroups } from '../../../engine/drivers/qemu/control-groups.ts';
import { type GroupPlace, parseGroupMounts } from '../../../engine/drivers/qemu/group-places.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const share = { cpuMillicores: 500, memoryBytes: 2 ** 28, processes: 512 };

test('a machine of the unified tree gets its share, and every group above hands the means down', async (t) => {
  const top = temporaryFolder(t);
  const place: GroupPlace = { top, isUnified: true, resources: ['cpu', 'memory', 'pids'] };

  const groups = await openControlGroups(async () => [place]).ensure('k3v9', 'shop/web.1', share);

  const group = join(top, 'sheaf/k3v9/shop%2Fweb.1');
  t.deepEqual(groups, {
    joins: [join(group, 'cgroup.procs')],
    cpu: { file: join(group, 'cpu.max'), value: '50000 100000' },
  });
  const written = await Promise.all(
    ['cpu.max', 'memory.max', 'pids.max'].map((name) => readFile(join(group, name), 'utf8')),
  );
  t.deepEqual(written, ['50000 100000', '268435456', '512']);
  for (const parent of [top, join(top, 'sheaf'), join(top, 'sheaf/k3v9')])
    t.is(await readFile(join(parent, 'cgroup.subtree_control'), 'utf8'), '+cpu +memory +pids');
});

test('a share becomes the numbers of the separate trees', async (t) => {
  const [cpu, memory] = [temporaryFolder(t), temporaryFolder(t)];
  const places: readonly GroupPlace[] = [
    { top: cpu, isUnified: false, resources: ['cpu'] },
    { top: memory, isUnified: false, resources: ['memory'] },
  ];

  const groups = await openControlGroups(async () => places).ensure('k3v9', 'web.1', {
    ...share,
    cpuMillicores: 1,
  });

  t.is(groups.cpu?.value, '1000', 'no less than the kernel takes');
  t.is(await readFile(join(cpu, 'sheaf/k3v9/web.1/cpu.cfs_period_us'), 'utf8'), '100000');
  t.is(await readFile(join(memory, 'sheaf/k3v9/web.1/memory.limit_in_bytes'), 'utf8'), '268435456');
});

test('where groups cannot be made nothing is limited, and the reason is told', async (t) => {
  const folder = temporaryFolder(t);
  await writeFile(join(folder, 'sheaf'), 'no folder');
  const groups = openControlGroups(async () => [
    { top: folder, isUnified: false, resources: ['cpu', 'memory'] },
  ]);

  t.deepEqual(await groups.limits(), {
    cpu: false,
    memory: false,
    reason: `control groups in ${folder} cannot be made: EEXIST`,
  });
  t.deepEqual(await groups.ensure('k3v9', 'web.1', share), { joins: [] });
  await t.notThrowsAsync(groups.remove('k3v9', 'web.1'));
});

test('a machine that is gone leaves no group, and a group that is not there is not missed', async (t) => {
  const top = temporaryFolder(t);
  const groups = openControlGroups(async () => [{ top, isUnified: false, resources: [] }]);
  await groups.ensure('k3v9', 'web.1', share);
  await mkdir(join(top, 'other'));

  await groups.remove('k3v9', 'web.1');
  await groups.remove('k3v9', 'web.1');

  await t.throwsAsync(readFile(join(top, 'sheaf')), { code: 'ENOENT' });
});

test('trees of control groups are found among all mounts', (t) => {
  const mounts = [
    '24 23 0:22 / /sys rw,nosuid - sysfs sysfs rw',
    '30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
    '31 24 0:27 / /sys/fs/cgroup\\040two rw - cgroup2 cgroup2 rw,nsdelegate',
    '',
  ].join('\n');

  t.deepEqual(parseGroupMounts(mounts), [
    { path: '/sys/fs/cgroup/cpu,cpuacct', isUnified: false, options: ['rw', 'cpu', 'cpuacct'] },
    { path: '/sys/fs/cgroup two', isUnified: true },
  ]);
});
