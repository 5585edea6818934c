import type { Digest } from '../../../engine/digest.ts';
import type { DeploymentIdentity, Driver } from '../../../engine/drivers/driver.ts';
import type { Blobs } from '../../../engine/model/blob.ts';
import type { Desired, Step } from '../../../engine/model/step.ts';
import { ensureStep, removeStep, workOf } from './qemu-world.ts';
import { storeTinyLayer } from './tiny-image.ts';
import { filesOf, tinyInstance } from './tiny-instance.ts';

/** Lists everything of a small deployment with one of each kind, in an order in which it can be made. */
export async function smallSite(
  blobs: Blobs,
  kit: Digest,
  subnet: string,
  port: number,
): Promise<readonly Desired[]> {
  const layers = [await storeTinyLayer(blobs, '<h1>here</h1>')];
  const volume = { server: 'local', kind: 'data', sizeBytes: 32 * 2 ** 20 } as const;
  const state = tinyInstance({ kit, layers }, 'web.1', `${subnet}.2`, {
    volumes: [{ name: 'data', key: 'web.1/data', kind: 'data', mount: '/data', sizeBytes: volume.sizeBytes }],
  });
  const { address, mac } = state;
  return [
    { kind: 'network', key: 'network', state: { subnet: `${subnet}.0/24`, gateway: `${subnet}.1` } },
    { kind: 'policy', key: 'wires', state: { members: [{ instance: 'web.1', address, mac }], rules: [] } },
    { kind: 'image', key: state.image, state: { appliance: 'tiny', kit, layers } },
    { kind: 'volume', key: 'web.1/data', state: volume },
    { kind: 'instance', key: 'web.1', state },
    {
      kind: 'endpoint',
      key: 'web.web',
      state: {
        appliance: 'web',
        terminal: 'web',
        protocol: 'http',
        transport: 'tcp',
        listen: { address: '127.0.0.1', port },
        targets: [{ name: 'web.1', address, port: 80 }],
      },
    },
  ];
}

/** Performs all steps that make a site, or that remove it, one after another. */
export async function performAll(
  driver: Driver,
  deployment: DeploymentIdentity,
  site: readonly Desired[],
  direction: 'up' | 'down',
): Promise<void> {
  const steps: readonly Step[] =
    direction === 'up'
      ? site.map((desired) => ensureStep(desired))
      : site.toReversed().map(({ kind, key }) => removeStep(kind, key, true));
  for (const step of steps) {
    const files =
      step.kind === 'instance' && step.action === 'ensure' ? filesOf(step.desired, deployment.id) : [];
    await driver.perform(step, workOf(deployment, files));
  }
}
