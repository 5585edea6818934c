import { digestOf } from '../../engine/digest.ts';
import type { InstanceState } from '../../engine/model/step.ts';

/** A template of one line that {@link sampleInstance} names. */
export const sampleTemplate =
  'title={{ properties.title }} password={{ properties.password }} db={{ terminals.db.port }}\n';

/** Makes an instance with one of everything. */
export function sampleInstance(change: Partial<InstanceState> = {}): InstanceState {
  const db = { direction: 'out', protocol: 'postgresql', transport: 'tcp', port: 5432 } as const;
  const peers = [
    { name: 'db.1', address: '10.83.4.5', port: 5432 },
    { name: 'db.2', address: '10.83.4.6', port: 5432 },
  ];
  return {
    appliance: 'web',
    uses: { name: 'php', version: '1.2.0' },
    server: 'here',
    image: 'php@1.2.0',
    kit: digestOf('kit'),
    layers: [],
    cpuMillicores: 500,
    memoryBytes: 128 * 2 ** 20,
    hostname: 'web-1',
    address: '10.83.4.3',
    prefix: 24,
    gateway: '10.83.4.1',
    mac: '02:00:00:00:04:03',
    volumes: [{ name: 'data', key: 'web.1/data', kind: 'data', mount: '/var/data', sizeBytes: 2 ** 30 }],
    files: [
      {
        path: '/etc/app.conf',
        template: digestOf(sampleTemplate),
        source: 'app.conf.njk',
        mode: '0640',
        owner: 'root:www-data',
        onChange: 'web',
      },
    ],
    scope: {
      application: { name: 'guestbook', version: '1.0.0' },
      deployment: { name: 'gb' },
      instance: { name: 'web.1', number: 1, appliance: 'web', hostname: 'web-1', address: '10.83.4.3' },
      properties: { title: 'Guests', password: { secret: 'parameter/dbPassword' } },
      terminals: {
        mail: { direction: 'out', protocol: 'smtp', transport: 'tcp', peers: [] },
        db: { ...db, peers },
        in: { direction: 'in', protocol: 'http', transport: 'tcp', port: 80, peers: [] },
      },
      volumes: { data: { mount: '/var/data', sizeBytes: 2 ** 30 } },
      endpoint: {},
    },
    waits: [{ terminal: 'db', protocol: 'postgresql', transport: 'tcp', peers }],
    services: [
      {
        name: 'web',
        command: ['nginx', '-g', 'daemon off;'],
        after: [],
        environment: {},
        reload: { signal: 'HUP' },
        stop: { signal: 'TERM', timeoutMs: 10_000 },
      },
    ],
    hooks: { init: { command: ['/init'], timeoutMs: 60_000 } },
    health: { probe: { kind: 'http', port: 80, path: '/' }, intervalMs: 5000, timeoutMs: 2000, failures: 3 },
    ...change,
  };
}
