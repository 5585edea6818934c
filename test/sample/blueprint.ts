import { digestOf } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type {
  Blueprint,
  BlueprintAppliance,
  BlueprintTerminal,
  BlueprintWire,
  Volume,
} from '../../engine/model/blueprint.ts';
import type { Closure } from '../../engine/model/closure.ts';

const mebibyte = 2 ** 20;

/** Makes an appliance of a blueprint that does nothing much. */
export function sampleAppliance(
  path: string,
  parts: Partial<BlueprintAppliance> & { readonly terminals: readonly BlueprintTerminal[] },
): BlueprintAppliance {
  return {
    path,
    uses: { name: path.replaceAll('/', '-'), version: '1.0.0', digest: digestOf(path) },
    replicas: 1,
    resources: { cpuMillicores: 500, memoryBytes: 128 * mebibyte },
    properties: {},
    volumes: [],
    contents: [],
    image: { kind: 'packages', suite: 'bookworm', packages: [] },
    files: [],
    services: [],
    hooks: {},
    ...parts,
  };
}

/** Makes a data volume. */
export function sampleVolume(parts: Partial<Volume> = {}): Volume {
  return {
    name: 'data',
    kind: 'data',
    sizeBytes: 2048 * mebibyte,
    mount: '/var/lib/data',
    perReplica: false,
    ...parts,
  };
}

/** Makes a wire of one protocol. */
export function sampleWire(from: string, to: string, protocol: string, port: number): BlueprintWire {
  const [client = '', out = ''] = from.split('.');
  const [server = '', into = ''] = to.split('.');
  return {
    from: { appliance: client, terminal: out },
    to: { appliance: server, terminal: into },
    protocol,
    transport: 'tcp',
    port,
    ordered: true,
  };
}

const http = { protocol: 'http', transport: 'tcp', port: 80 } as const;
const sql = { protocol: 'postgresql', transport: 'tcp', port: 5432 } as const;

/** The guest book: a gateway, a load balancer, web servers, a database with data and a secret. */
export function guestbook(
  options: { readonly replicas?: number; readonly title?: string; readonly sizeMiB?: number } = {},
): Blueprint {
  const { replicas = 2, title = 'Guest book', sizeMiB = 2048 } = options;
  const health = {
    probe: { kind: 'tcp', port: 5432 },
    intervalMs: 1000,
    timeoutMs: 1000,
    failures: 3,
  } as const;
  return {
    apiVersion: 'sheaf/v1',
    kind: 'Blueprint',
    application: { name: 'guestbook', version: '1.0.0' },
    appliances: [
      sampleAppliance('db', {
        terminals: [{ name: 'in', direction: 'in', ...sql }],
        properties: { password: { value: { secret: 'parameter/dbPassword' }, origin: 'generated' } },
        volumes: [sampleVolume({ sizeBytes: sizeMiB * mebibyte })],
        health,
      }),
      sampleAppliance('web', {
        replicas,
        spread: 'server',
        terminals: [
          { name: 'in', direction: 'in', ...http },
          { name: 'db', direction: 'out', ...sql },
        ],
        properties: {
          title: { value: title, origin: 'parameter title' },
          password: { value: { secret: 'parameter/dbPassword' }, origin: 'generated' },
        },
        contents: [{ name: 'app', to: '/srv/app', digest: digestOf('app') }],
      }),
      sampleAppliance('lb', {
        terminals: [
          { name: 'in', direction: 'in', ...http },
          { name: 'out', direction: 'out', ...http },
        ],
      }),
      sampleAppliance('edge', {
        terminals: [
          { name: 'out', direction: 'out', ...http },
          { name: 'web', direction: 'external', ...http },
        ],
      }),
    ],
    wires: [
      sampleWire('edge.out', 'lb.in', 'http', 80),
      sampleWire('lb.out', 'web.in', 'http', 80),
      sampleWire('web.db', 'db.in', 'postgresql', 5432),
    ],
    externals: [{ appliance: 'edge', terminal: 'web', ...http }],
    secrets: [{ name: 'parameter/dbPassword', generate: 24 }],
  };
}

/** Pretends that everything of a blueprint was built; `edition` changes all layers. */
export function sampleClosure(blueprint: Blueprint, edition = ''): Closure {
  const layer = (text: string): Descriptor => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(text + edition),
    size: text.length,
  });
  return {
    kit: digestOf('kit'),
    images: new Map(blueprint.appliances.map((one) => [one.path, [layer('base'), layer(one.uses.name)]])),
    contents: new Map(
      blueprint.appliances
        .filter((one) => one.contents.length > 0)
        .map((one) => [one.path, one.contents.map((content) => layer(content.digest))]),
    ),
  };
}
