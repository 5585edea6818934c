import test from 'ava';
import { parseKitPackages } from '../../engine/images/kit-packages.ts';

const kernel = `Package: linux-image-cloud-amd64
Source: linux-signed-amd64 (6.1.192+2)
Version: 6.1.192-2
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description: Linux for x86-64 cloud (meta-package)
`;
const busybox = `Package: busybox-static
Version: 1:1.35.0-4+b1
Provides: busybox
`;

test('the packages of a kit are read from what apt says', (t) => {
  t.deepEqual(parseKitPackages(`${kernel}\n${busybox}`), {
    kernel: { name: 'linux-image-6.1.0-56-cloud-amd64', version: '6.1.192-2' },
    busybox: { name: 'busybox-static', version: '1:1.35.0-4+b1' },
  });
});

test('apt that knows one of them only, or an alias of another shape, gives no kit', (t) => {
  t.is(parseKitPackages(kernel), undefined);
  t.is(parseKitPackages(busybox), undefined);
  t.is(parseKitPackages(`${kernel.replace(' (= 6.1.192-2)', '')}\n${busybox}`), undefined);
  t.is(parseKitPackages(''), undefined);
});
