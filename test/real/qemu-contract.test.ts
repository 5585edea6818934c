import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openQemuDriver } from '../../engine/drivers/qemu/open-driver.ts';
import { guestSpecOf } from '../../engine/render/guest-spec.ts';
import { type ContractSubject, contract } from '../contracts/driver.ts';
import { volumeContract } from '../contracts/volume.ts';
import { freePort } from './support/qemu-world.ts';
import { testAttendant, testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { busyboxService } from './support/tiny-instance.ts';

contract(test, () => open('10.83.7'));
volumeContract(test, () => open('10.83.8'));

async function open(network: string): Promise<ContractSubject> {
  const root = await mkdtemp(join(tmpdir(), 'sheaf-'));
  const { blobs, digest: kit } = await testKit();
  const layer = await storeTinyLayer(blobs, 'contract');
  const driver = await openQemuDriver({
    pool: 'local',
    home: join(root, 'home'),
    runtime: join(root, 'run'),
    blobs,
    kit: async () => kit,
    attendant: testAttendant(blobs),
  });
  return {
    driver,
    image: { appliance: 'box', kit, layers: [layer] },
    instance: {
      services: [busyboxService('web', 'httpd', '-f', '-p', '80', '-h', '/srv')],
      cpuMillicores: 100,
      memoryBytes: 16 * 2 ** 20,
    },
    server: 'local',
    network,
    port: await freePort(),
    files: (state, deployment, generation, files) => {
      const spec = JSON.stringify(guestSpecOf(state, deployment.id, generation));
      return [{ path: '/etc/sheaf/instance.json', content: spec, mode: '0600' }, ...files];
    },
    startTimeoutMs: 120_000,
    close: () => rm(root, { recursive: true }),
  };
}
