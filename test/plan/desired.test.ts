import test from 'ava';
import type { Blueprint, BlueprintAppliance } from '../../engine/model/blueprint.ts';
import type { InstanceState } from '../../engine/model/step.ts';
import { allocate } from '../../engine/plan/allocate.ts';
import type { DesiredRequest } from '../../engine/plan/deployment-view.ts';
import { desired } from '../../engine/plan/desired.ts';
import { endpointUrl } from '../../engine/plan/endpoint-url.ts';
import { guestbook, sampleAppliance, sampleClosure, sampleWire } from '../sample/blueprint.ts';

function request(blueprint: Blueprint): DesiredRequest {
  const allocation = allocate({
    deployment: 'a00000000001',
    blueprint,
    range: '10.83.0.0/16',
    taken: { subnets: [], listening: [] },
    expose: {},
    ports: [40_000, 40_001],
  });
  return {
    name: 'shop',
    blueprint,
    allocation,
    placement: Object.fromEntries(Object.keys(allocation.instances).map((name) => [name, 'local'])),
    closure: sampleClosure(blueprint),
    secretVersions: new Map(),
    recorded: [],
  };
}

function instance(parts: DesiredRequest, name: string): InstanceState {
  const found = desired(parts).find((one) => one.kind === 'instance' && one.key === name);
  if (found?.kind !== 'instance') throw new Error(`no ${name}`);
  return found.state;
}

test('the policy opens each wire between all instances of both ends, one way, and names everybody', (t) => {
  const policy = desired(request(guestbook())).find((one) => one.kind === 'policy');

  if (policy?.kind !== 'policy') return t.fail();
  t.deepEqual(
    policy.state.rules.map((rule) => `${rule.from} -> ${rule.to} ${rule.transport} ${rule.port}`),
    [
      'edge.1 -> lb.1 tcp 80',
      'lb.1 -> web.1 tcp 80',
      'lb.1 -> web.2 tcp 80',
      'web.1 -> db.1 tcp 5432',
      'web.2 -> db.1 tcp 5432',
    ],
  );
  t.deepEqual(
    policy.state.members.map((one) => one.instance),
    ['db.1', 'edge.1', 'lb.1', 'web.1', 'web.2'],
  );
});

test('the layers of an image of others belong together, those of contents and of own images do not', (t) => {
  const blueprint = guestbook();
  const appliances = blueprint.appliances.map((appliance) =>
    appliance.path === 'web' ? { ...appliance, image: { kind: 'oci' as const, ref: 'oci:x' } } : appliance,
  );
  const parts = request({ ...blueprint, appliances });
  const layers = instance(parts, 'web.1').layers.length - (parts.closure.contents.get('web')?.length ?? 0);

  t.is(instance(parts, 'web.1').joined, layers);
  t.is(instance(parts, 'db.1').joined, undefined);
});

test('a whole disk keeps its commands and the size that its appliance asks for', (t) => {
  const blueprint = guestbook();
  const disk = {
    kind: 'disk',
    path: 'x.qcow2',
    digest: blueprint.appliances[0]?.uses.digest ?? 'sha256:',
    run: [],
  } as const;
  const bootWith = (image: BlueprintAppliance['image']) => {
    const appliances = blueprint.appliances.map((one) => (one.path === 'web' ? { ...one, image } : one));
    return instance(request({ ...blueprint, appliances }), 'web.1').boot;
  };

  t.deepEqual(bootWith(disk), { run: [] });
  t.deepEqual(bootWith({ ...disk, sizeBytes: 5 }), { run: [], sizeBytes: 5 });
});

test('an out terminal has the instances at the other end as peers, an in those that may connect', (t) => {
  const { terminals } = instance(request(guestbook()), 'lb.1').scope;

  t.deepEqual(terminals['out']?.peers, [
    { name: 'web.1', address: '10.83.0.3', port: 80 },
    { name: 'web.2', address: '10.83.0.4', port: 80 },
  ]);
  t.deepEqual(terminals['in']?.peers, [{ name: 'edge.1', address: '10.83.0.6', port: 80 }]);
});

test('services wait for ordered wires alone', (t) => {
  const ordered = guestbook();
  const free = { ...ordered, wires: ordered.wires.map((wire) => ({ ...wire, ordered: false })) };

  t.deepEqual(
    instance(request(ordered), 'web.1').waits.map((wait) => `${wait.terminal} ${wait.protocol}`),
    ['db postgresql'],
  );
  t.deepEqual(instance(request(free), 'web.1').waits, []);
});

test('an image with contents is one of its own, and its layers lie on top', (t) => {
  const parts = request(guestbook());
  const web = instance(parts, 'web.1');

  t.is(web.image, 'web@1.0.0/web');
  t.is(web.layers.length, 3);
  t.is(instance(parts, 'lb.1').image, 'lb@1.0.0');
});

test('a secret stays a reference, with its version from the second on', (t) => {
  const parts = request(guestbook());
  const changed = { ...parts, secretVersions: new Map([['parameter/dbPassword', 2]]) };

  t.deepEqual(instance(parts, 'db.1').scope.properties['password'], { secret: 'parameter/dbPassword' });
  t.deepEqual(instance(changed, 'db.1').scope.properties['password'], {
    secret: 'parameter/dbPassword',
    version: 2,
  });
});

test('every instance knows the endpoints by terminal, its own before others', (t) => {
  const { endpoint } = instance(request(guestbook()), 'web.1').scope;

  t.deepEqual(endpoint, {
    web: { address: '127.0.0.1', port: 40_000, url: 'http://127.0.0.1:40000/' },
  });
});

test('a replica does not connect to itself through a wire to its own kind', (t) => {
  const http = { protocol: 'http', transport: 'tcp', port: 80 } as const;
  const ring = sampleAppliance('ring', {
    replicas: 2,
    terminals: [
      { name: 'in', direction: 'in', ...http },
      { name: 'next', direction: 'out', ...http },
    ],
  });
  const wires = [{ ...sampleWire('ring.next', 'ring.in', 'http', 80), ordered: false }];
  const blueprint = { ...guestbook(), appliances: [ring], wires, externals: [], secrets: [] };

  const policy = desired(request(blueprint)).find((one) => one.kind === 'policy');

  if (policy?.kind !== 'policy') return t.fail();
  t.deepEqual(
    policy.state.rules.map((rule) => `${rule.from} -> ${rule.to}`),
    ['ring.1 -> ring.2', 'ring.2 -> ring.1'],
  );
});

test('a host name is a label of the DNS, also that of a deeply nested instance', (t) => {
  const path = 'outermost-assembly/intermediate-assembly/innermost-assembly/database';
  const blueprint = {
    ...guestbook(),
    appliances: [sampleAppliance(path, { terminals: [] })],
    wires: [],
    externals: [],
  };

  t.is(instance(request(guestbook()), 'web.1').hostname, 'web-1');
  t.regex(instance(request(blueprint), `${path}.1`).hostname, /^[a-z0-9-]{63}$/);
});

test('the URL of an endpoint can be followed from this machine', (t) => {
  t.is(endpointUrl('http', { address: '127.0.0.1', port: 8080 }), 'http://127.0.0.1:8080/');
  t.is(endpointUrl('https', { address: '0.0.0.0', port: 443 }), 'https://127.0.0.1:443/');
  t.is(endpointUrl('http', { address: '::', port: 80 }), 'http://[::1]:80/');
  t.is(endpointUrl('example.com/rpc', { address: '10.0.0.1', port: 9 }), 'rpc://10.0.0.1:9/');
});
