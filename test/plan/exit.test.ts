import test from 'ava';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import { allocate } from '../../engine/plan/allocate.ts';
import { desired } from '../../engine/plan/desired.ts';
import { diff } from '../../engine/plan/diff.ts';
import { guestSpecOf } from '../../engine/render/guest-spec.ts';
import { sampleAppliance, sampleClosure, sampleWire } from '../sample/blueprint.ts';

const api = { name: 'api.example.com', port: 443 };
const plain = { name: 'api.example.com', port: 80 };
const erp = { name: 'erp.example.com', port: 8443, isPrivate: true } as const;

/** Two kinds of client with lists of their own, before one egress; a third instance has no wire to it. */
function shop(): Blueprint {
  const out = { name: 'api', direction: 'out', protocol: 'https', transport: 'tcp', port: 443 } as const;
  return {
    apiVersion: 'sheaf/v1',
    kind: 'Blueprint',
    application: { name: 'shop', version: '1.0.0' },
    appliances: [
      sampleAppliance('db', { terminals: [] }),
      sampleAppliance('out', {
        terminals: [
          { name: 'in', direction: 'in', protocol: 'tcp', transport: 'tcp' },
          { name: 'world', direction: 'external', protocol: 'tcp', transport: 'tcp' },
        ],
      }),
      sampleAppliance('jobs', { terminals: [out] }),
      sampleAppliance('web', { terminals: [out], replicas: 2 }),
    ],
    wires: [
      { ...sampleWire('jobs.api', 'out.in', 'tcp', erp.port), names: [erp] },
      { ...sampleWire('web.api', 'out.in', 'tcp', api.port), names: [api, plain] },
    ],
    externals: [],
    secrets: [],
  };
}

function objectsOf(blueprint: Blueprint) {
  const allocation = allocate({
    deployment: 'a00000000001',
    blueprint,
    range: '10.83.0.0/16',
    taken: { subnets: [], listening: [] },
    expose: {},
    ports: [],
  });
  return desired({
    name: 'shop',
    blueprint,
    allocation,
    placement: Object.fromEntries(Object.keys(allocation.instances).map((name) => [name, 'local'])),
    closure: sampleClosure(blueprint),
    secretVersions: new Map(),
    recorded: [],
  });
}

function stateOf(name: string) {
  const found = objectsOf(shop()).find((one) => one.kind === 'instance' && one.key === name);
  if (found?.kind !== 'instance') throw new Error(`no ${name}`);
  return found.state;
}

test('a door that leads out says who may use it, on whose behalf and for which names', (t) => {
  const exit = objectsOf(shop()).find((one) => one.kind === 'endpoint');

  t.deepEqual(exit, {
    kind: 'endpoint',
    key: 'out.world',
    state: {
      appliance: 'out',
      terminal: 'world',
      protocol: 'tcp',
      transport: 'tcp',
      listen: { address: '10.83.0.1', port: 4430 },
      sources: [{ name: 'out.1', address: '10.83.0.3' }],
      clients: [
        { name: 'jobs.1', address: '10.83.0.4', names: [erp] },
        { name: 'web.1', address: '10.83.0.5', names: [api, plain] },
        { name: 'web.2', address: '10.83.0.6', names: [api, plain] },
      ],
    },
  });
});

test('a wire with names opens the port of each of them, and no other', (t) => {
  const policy = objectsOf(shop()).find((one) => one.kind === 'policy');

  t.deepEqual(
    policy?.kind === 'policy' && policy.state.rules.map(({ from, to, port }) => `${from} -> ${to} ${port}`),
    [
      'jobs.1 -> out.1 8443',
      'web.1 -> out.1 80',
      'web.1 -> out.1 443',
      'web.2 -> out.1 80',
      'web.2 -> out.1 443',
    ],
  );
});

test('names resolve to the egress, for the instances of their wire alone', (t) => {
  const hostsOf = (name: string) => guestSpecOf(stateOf(name), 'a00000000001', 1).hosts;

  t.deepEqual(hostsOf('web.2'), [
    { name: 'api', addresses: ['10.83.0.3'] },
    { name: 'api.example.com', addresses: ['10.83.0.3'] },
  ]);
  t.deepEqual(hostsOf('jobs.1'), [
    { name: 'api', addresses: ['10.83.0.3'] },
    { name: 'erp.example.com', addresses: ['10.83.0.3'] },
  ]);
  t.deepEqual(hostsOf('db.1'), []);
});

test("an egress's templates see each client's names, the ports and the way out", (t) => {
  const { terminals } = stateOf('out.1').scope;

  t.deepEqual(
    terminals['in']?.names?.map(({ peer, name, port }) => `${peer} ${name}:${port}`),
    [
      'jobs.1 erp.example.com:8443',
      'web.1 api.example.com:443',
      'web.1 api.example.com:80',
      'web.2 api.example.com:443',
      'web.2 api.example.com:80',
    ],
  );
  t.deepEqual(terminals['in']?.ports, [80, 443, 8443]);
  t.deepEqual(terminals['world']?.peers, [{ name: 'outside', address: '10.83.0.1', port: 4430 }]);
});

test('a door that leads out waits for no instance', (t) => {
  const plan = diff({
    deployment: 'shop',
    generation: 1,
    blueprint: 'sha256:0',
    desired: objectsOf(shop()),
    recorded: [],
    observation: { objects: [] },
    mayDelete: () => false,
  });

  const kinds = new Map(plan.steps.map((step) => [step.id, step.kind]));
  const door = plan.steps.find((step) => step.kind === 'endpoint');

  t.deepEqual(
    door?.after.map((id) => kinds.get(id)),
    ['network', 'policy'],
  );
});
