import test from 'ava';
import { digestOf } from '../../../engine/digest.ts';
import { diskSources } from '../../../engine/drivers/qemu/disk-source.ts';

const layer = (name: string) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: digestOf(name),
  size: 1,
});

test('each layer is a disk of its own, one that comes twice only where it lies highest', (t) => {
  const [a, b] = [layer('a'), layer('b')];

  t.deepEqual(diskSources({ layers: [a, b, a] }), [
    { digest: b.digest, layers: [b], isWhole: false },
    { digest: a.digest, layers: [a], isWhole: false },
  ]);
});

test('joined layers are one disk below the others, known by which they are and in what order', (t) => {
  const [a, b, c] = [layer('a'), layer('b'), layer('c')];

  const [lowest, ...others] = diskSources({ layers: [a, b, c], joined: 2 });
  const [turned] = diskSources({ layers: [b, a], joined: 2 });
  const [alone] = diskSources({ layers: [a], joined: 1 });

  t.deepEqual([lowest?.layers, lowest?.isWhole], [[a, b], true]);
  t.deepEqual(others, [{ digest: c.digest, layers: [c], isWhole: false }]);
  t.is(new Set([lowest?.digest, turned?.digest, alone?.digest, a.digest]).size, 4);
});
