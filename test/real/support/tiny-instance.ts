import type { Digest } from '../../../engine/digest.ts';
import type { Descriptor } from '../../../engine/model/blob.ts';
import type { Service } from '../../../engine/model/blueprint.ts';
import type { GuestFile } from '../../../engine/model/guest-file.ts';
import type { InstanceState } from '../../../engine/model/step.ts';
import { guestSpecOf } from '../../../engine/render/guest-spec.ts';

const busybox = '/run/sheaf/bin/busybox';

/** A service of the kit's own busybox. */
export function busyboxService(name: string, ...args: readonly string[]): Service {
  return {
    name,
    command: [busybox, ...args],
    after: [],
    environment: {},
    stop: { signal: 'TERM', timeoutMs: 2000 },
  };
}

/** Describes an instance that serves `/srv` on port 80, with the least memory. */
export function tinyInstance(
  parts: { readonly kit: Digest; readonly layers: readonly Descriptor[] },
  name: string,
  address: string,
  changes: Partial<InstanceState> = {},
): InstanceState {
  const [appliance = name, number = '1'] = name.split('.');
  const last = Number(address.split('.')[3]);
  const gateway = address.replace(/\d+$/, '1');
  const hostname = name.replace('.', '-');
  return {
    appliance,
    uses: { name: 'tiny', version: '1.0.0' },
    server: 'local',
    image: 'tiny@1.0.0',
    ...parts,
    cpuMillicores: 100,
    memoryBytes: 16 * 2 ** 20,
    hostname,
    address,
    prefix: 24,
    gateway,
    mac: `02:00:00:00:00:${last.toString(16).padStart(2, '0')}`,
    volumes: [],
    files: [],
    scope: {
      application: { name: 'tiny', version: '1.0.0' },
      deployment: { name: 'test' },
      instance: { name, number: Number(number), appliance, hostname, address },
      properties: {},
      terminals: {},
      volumes: {},
      endpoint: {},
    },
    waits: [],
    services: [busyboxService('web', 'httpd', '-f', '-p', '80', '-h', '/srv')],
    hooks: {},
    health: {
      probe: { kind: 'http', port: 80, path: '/' },
      intervalMs: 500,
      timeoutMs: 2000,
      failures: 3,
    },
    ...changes,
  };
}

/** Gives the files that an instance boots with. */
export function filesOf(
  state: InstanceState,
  deployment: string,
  generation = 1,
  more: readonly GuestFile[] = [],
): readonly GuestFile[] {
  const spec = guestSpecOf(state, deployment, generation);
  return [{ path: '/etc/sheaf/instance.json', content: `${JSON.stringify(spec)}\n`, mode: '0600' }, ...more];
}
