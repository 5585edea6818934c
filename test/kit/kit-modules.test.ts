import test from 'ava';
import { parseDependencies, withDependencies } from '../../engine/images/kit-modules.ts';

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
