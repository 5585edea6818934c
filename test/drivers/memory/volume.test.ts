import test from 'ava';
import { digestOf } from '../../../engine/digest.ts';
import { openMemoryDriver } from '../../../engine/drivers/memory/open-driver.ts';
import { volumeContract } from '../../contracts/volume.ts';

volumeContract(test, async () => ({
  driver: openMemoryDriver(),
  image: {
    appliance: 'box@1.0.0',
    kit: digestOf('kit'),
    layers: [{ mediaType: 'application/octet-stream', digest: digestOf('layer'), size: 5 }],
  },
  instance: { services: [], cpuMillicores: 500, memoryBytes: 2 ** 26 },
  server: 'memory',
  network: '10.99.8',
  port: 40_001,
  files: (_state, _deployment, _generation, files) => files,
  startTimeoutMs: 1000,
  close: async () => undefined,
}));
