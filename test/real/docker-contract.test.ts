import test from 'ava';
import { openDockerDriver } from '../../engine/drivers/docker/open-driver.ts';
import { guestSpecOf } from '../../engine/render/guest-spec.ts';
import { type ContractSubject, contract } from '../contracts/driver.ts';
import { volumeContract } from '../contracts/volume.ts';
import { startDockerEngine } from './support/docker-engine.ts';
import { freePort } from './support/qemu-world.ts';
import { testAttendant, testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { busyboxService } from './support/tiny-instance.ts';

contract(test, () => open('10.84.7'));
volumeContract(test, () => open('10.84.8'));

async function open(network: string): Promise<ContractSubject> {
  const engine = await startDockerEngine();
  const { blobs, digest: kit } = await testKit();
  const layer = await storeTinyLayer(blobs, 'contract');
  const driver = openDockerDriver({
    pool: 'docker',
    home: '/contract',
    address: { kind: 'unix', path: engine.socket },
    blobs,
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
    server: 'docker',
    network,
    port: await freePort(),
    files: (state, deployment, generation, files) => {
      const spec = JSON.stringify(guestSpecOf(state, deployment.id, generation));
      return [{ path: '/etc/sheaf/instance.json', content: spec, mode: '0600' }, ...files];
    },
    startTimeoutMs: 60_000,
    close: async () => {
      const left = await engine.api.containers([]);
      await engine.close();
      if (left.length > 0) throw new Error(`left: ${left.map((one) => one.name).join(' ')}`);
    },
  };
}
