import test from 'ava';
import { digestOf } from '../../../engine/digest.ts';
import { openMemoryDriver } from '../../../engine/drivers/memory/open-driver.ts';
import { contract } from '../../contracts/driver.ts';

contract(test, async () => ({
  driver: openMemoryDriver(),
  image: {
    appliance: 'box@1.0.0',
    kit: digestOf('kit'),
    layers: [{ mediaType: 'application/octet-stream', digest: digestOf('layer'), size: 5 }],
  },
  instance: { services: [], cpuMillicores: 500, memoryBytes: 2 ** 26 },
  server: 'memory',
  network: '10.99.7',
  port: 40_000,
  files: (_state, _deployment, _generation, files) => files,
  startTimeoutMs: 1000,
  close: async () => undefined,
}));
