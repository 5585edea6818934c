import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parseDependencies, reduceModules, withDependencies } from '../../engine/images/kit-modules.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const dependencies = parseDependencies(`kernel/a.ko: kernel/b.ko kernel/c.ko
kernel/b.ko: kernel/c.ko
kernel/c.ko:
kernel/d.ko:
`);

test('modules stand behind those that they need, each once', (t) => {
  t.deepEqual(withDependencies(['kernel/a.ko', 'kernel/c.ko', 'kernel/d.ko'], dependencies), [
    'kernel/c.ko',
    'kernel/b.ko',
    'kernel/a.ko',
    'kernel/d.ko',
  ]);
});

test('a module that needs nothing has an empty list', (t) => {
  t.deepEqual(dependencies.get('kernel/d.ko'), []);
});

test('the lists that depmod writes have the same modes under every umask', async (t) => {
  const names = [
    ...['virtio_pci', 'virtio_blk', 'squashfs', 'overlay', 'isofs', 'virtio_net', 'virtio_console'],
    'virtio-rng',
  ];
  const modules = 'lib/modules/6.1.0/kernel/fs';
  const root = temporaryFolder(t, {
    ...Object.fromEntries(names.map((name) => [`${modules}/${name}.ko`, name])),
    // stands in for busybox: `depmod -b ROOT RELEASE`
    busybox: `#!/bin/sh
umask 077
cd "$3/lib/modules/$4"
rm -f modules.dep
for each in kernel/fs/*.ko; do echo "$each:" >> modules.dep; done
`,
  });
  chmodSync(join(root, 'busybox'), 0o755);

  await reduceModules(root, '6.1.0', join(root, 'busybox'), new AbortController().signal);

  t.is(statSync(join(root, 'lib/modules/6.1.0/modules.dep')).mode & 0o777, 0o644);
});
