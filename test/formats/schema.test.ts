import { readFileSync } from 'node:fs';
import test from 'ava';
import type { Json } from '../../engine/digest.ts';
import { checkSchema, type SchemaName } from '../../engine/formats/schema.ts';
import { sampleBundle } from '../catalog/sample-bundle.ts';

const names: readonly SchemaName[] = [
  'appliance',
  'assembly',
  'application',
  'lock',
  'pool',
  'packing-list',
  'bundle-manifest',
  'bundle-index',
  'trust',
  'catalogs',
  'catalog-index',
  'catalog-statement',
];
const digest = `sha256:${'0'.repeat(64)}`;
const bundle = sampleBundle();
const part = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 };

const at = '2026-11-22T00:00:00.000Z';
const entry = {
  name: 'php',
  version: '1.0.0',
  packs: 'appliance',
  title: 'PHP',
  manifest: { digest, size: 100 },
  identity: digest,
  bytes: 7,
  terminals: [{ name: 'in', direction: 'in', protocol: 'http' }],
  published: at,
};

const accepted: Readonly<Record<SchemaName, Json>> = {
  appliance: {
    apiVersion: 'sheaf/v1',
    kind: 'Appliance',
    name: 'php',
    version: '1.0.0',
    title: 'PHP',
    protocols: { 'example.com/rpc': { parent: 'tcp' } },
    terminals: {
      in: { direction: 'in', protocol: 'http', port: { property: 'port' } },
      db: { direction: 'out', protocol: 'postgresql', optional: true },
      web: { direction: 'external', protocol: 'https', port: 443 },
    },
    properties: {
      port: { type: 'integer', min: 1, max: 65535, default: 80 },
      key: { type: 'secret', generate: 24 },
    },
    resources: { cpu: { min: 0.05, default: 0.5, max: 8 }, memory: { default: '128MiB' } },
    volumes: { data: { kind: 'data', mount: '/var/lib/x', size: { default: '1.5GiB' }, perReplica: true } },
    content: { app: { to: '/srv/app' } },
    image: { suite: 'bookworm', packages: ['nginx-light', 'libstdc++6'], setup: 'setup.sh' },
    files: [{ path: '/etc/x.conf', template: 'x.njk', mode: '0640', owner: 'root:www-data', onChange: 'x' }],
    services: {
      x: {
        command: ['x'],
        after: [],
        reload: { signal: 'HUP' },
        stop: { timeout: '5s' },
        environment: { A: 'b' },
      },
    },
    hooks: { init: { command: ['x'], timeout: '5min' } },
    health: { http: { terminal: 'in', path: '/?a=b' }, interval: '500ms', failures: 2 },
  },
  assembly: {
    apiVersion: 'sheaf/v1',
    kind: 'Assembly',
    name: 'shop',
    version: '1.0.0-rc.1',
    terminals: { in: { inner: 'web.in' } },
    properties: { title: { type: 'string' } },
    volumes: { data: { inner: 'db.data' } },
    content: { app: { inner: 'web.app' } },
    appliances: { web: { uses: 'php@^1', properties: { title: { property: 'title' } } } },
    wires: ['web.db -> db.in', { wire: 'web.x->db.in', order: 'none' }],
  },
  application: {
    apiVersion: 'sheaf/v1',
    kind: 'Application',
    name: 'guestbook',
    version: '1.0.0',
    parameters: { title: { type: 'string', default: 'x' } },
    appliances: {
      web: {
        uses: 'php@>=1 <3',
        replicas: 2,
        spread: 'zone',
        properties: { title: { parameter: 'title' }, list: ['a'] },
      },
      db: {
        uses: 'db@*',
        resources: { cpu: 1, memory: '1GiB' },
        volumes: { data: { size: '2GiB' } },
        content: { a: './a' },
      },
    },
  },
  lock: {
    apiVersion: 'sheaf/v1',
    kind: 'Lock',
    appliances: { 'shop/web': { name: 'php', version: '1.0.0', digest } },
    kit: digest,
    platforms: { 'linux/amd64': { 'php@1.0.0': { nginx: { version: '1', sha256: '0'.repeat(64) } } } },
  },
  pool: {
    apiVersion: 'sheaf/v1',
    kind: 'Pool',
    name: 'local',
    driver: 'qemu',
    range: '10.83.0.0/16',
    servers: {
      one: {
        url: 'ssh://one',
        capacity: { cpu: 4, memory: '8GiB', disk: '1TiB' },
        labels: { disk: 'ssd' },
        rack: 'r1',
        zone: 'z1',
      },
    },
  },
  'packing-list': { ...bundle.list, title: 'Sample' },
  'bundle-manifest': bundle.contents.manifest,
  'bundle-index': {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ ...part, annotations: { 'org.opencontainers.image.ref.name': 'sample:1.0.0' } }],
    annotations: { 'sheaf.form': 'delta', 'sheaf.base': digest },
  },
  trust: {
    apiVersion: 'sheaf/v1',
    kind: 'TrustPolicy',
    keys: { acme: { file: 'keys/acme.pub' } },
    rules: [{ names: ['acme-*'], catalogs: ['file'], keys: ['acme'], unsigned: true }],
    revoked: [digest],
  },
  catalogs: {
    apiVersion: 'sheaf/v1',
    kind: 'Catalogs',
    catalogs: [
      { catalog: 'oci://one/acme', mirror: 'oci://two/acme', authorities: 'ca.pem', plain: true },
      { catalog: './folder' },
    ],
  },
  'catalog-index': {
    apiVersion: 'sheaf/v1',
    kind: 'CatalogIndex',
    id: '0'.repeat(32),
    counter: 1,
    issued: at,
    expires: at,
    entries: [entry],
    yanked: [{ name: 'php', version: '1.0.0', reason: 'broken', at }],
    channels: [{ name: 'php', channel: 'stable', version: '1.0.0', at }],
  },
  'catalog-statement': { apiVersion: 'sheaf/v1', kind: 'CatalogStatement', entry },
};

const refused: Readonly<Record<SchemaName, readonly Json[]>> = {
  appliance: [
    { image: { oci: 'nginx:latest' } },
    { image: { packages: ['x'] } },
    { hooks: { start: { command: ['x'] } } },
  ],
  assembly: [{ parameters: {} }, { terminals: { in: 'web.in' } }, { terminals: { in: { inner: 'a.b.c' } } }],
  application: [{ properties: {} }, { appliances: {} }, { wires: ['a.b c.d'] }],
  lock: [{ kit: 'sha256:1' }, { appliances: { web: { name: 'php' } } }, { platforms: { linux: {} } }],
  pool: [
    { driver: 'vmware' },
    { range: '10.83.0.0/30' },
    { servers: { one: { capacity: { memory: '8GB' } } } },
  ],
  'packing-list': [
    { platform: 'linux/riscv64' },
    { files: { '/etc/passwd': part } },
    { files: { 'a\\b': part } },
    { images: { php: {} } },
    { blueprint: { revision: 0, digest } },
  ],
  'bundle-manifest': [{ config: { ...part, size: -1 } }, { layers: [{ digest }] }, { annotations: { a: 1 } }],
  'bundle-index': [
    { manifests: [] },
    { annotations: { 'sheaf.form': 'fat' } },
    { annotations: { other: 'x' } },
  ],
  trust: [{ keys: { Acme: { file: 'x' } } }, { rules: [{ names: [] }] }, { revoked: ['sha256:1'] }],
  catalogs: [{ catalogs: [{}] }, { catalogs: [{ catalog: 'x', mirror: 'folder' }] }],
  'catalog-index': [{ id: 'x' }, { counter: 0 }, { entries: [{ ...entry, name: '../x' }] }, { yanked: [{}] }],
  'catalog-statement': [{ entry: { ...entry, version: '1' } }, { yank: {} }],
};

for (const name of names) {
  test(`the ${name} schema accepts a full sample and refuses what breaks it`, (t) => {
    const sample = accepted[name];

    t.deepEqual(checkSchema(name, sample), []);
    for (const change of [...refused[name], { kind: 'Other' }, { apiVersion: 'sheaf/v2' }, { more: 1 }]) {
      t.not(checkSchema(name, Object.assign({}, sample, change)).length, 0, JSON.stringify(change));
    }
    for (const value of [null, [], 'text', 7, {}]) t.not(checkSchema(name, value).length, 0);
  });
}

test('a hundred thousand wrong entries are told in linear time', (t) => {
  const entries = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, { x: 1 }]));
  const timed = (count: number) => {
    const value = Object.assign({}, accepted.application, { appliances: entries(count) });
    const start = performance.now();
    const faults = checkSchema('application', value);
    return { faults: faults.length, ms: performance.now() - start };
  };
  timed(100);

  const [small, large] = [timed(10_000), timed(100_000)];

  t.is(large.faults, small.faults);
  // Quadratic time would be a hundredfold.
  t.true(large.ms < 40 * Math.max(small.ms, 20), `${small.ms} ms, then ${large.ms} ms`);
});

test('definitions of one name are equal in all schemas, so that each file stands alone', (t) => {
  const seen = new Map<string, string>();
  for (const name of names) {
    const { $defs = {} } = JSON.parse(readFileSync(`schemas/${name}.schema.json`, 'utf8')) as {
      $defs?: Record<string, Json>;
    };
    for (const [definition, value] of Object.entries($defs)) {
      // An application's values come from parameters, an assembly's from properties; nothing else may differ.
      const text = JSON.stringify(value)
        .replaceAll('parameter', 'property')
        .replaceAll(' of this assembly', '');
      t.is(text, seen.get(definition) ?? text, `${name} ${definition}`);
      seen.set(definition, text);
    }
  }
});
