import test from 'ava';
import type { ObjectRecord, Records } from '../../../engine/drivers/docker/records.ts';
import { outletRulesOf, rulesOf } from '../../../engine/drivers/docker/rules.ts';
import type { PolicyRule } from '../../../engine/model/step.ts';

const common = { generation: 1, fingerprint: null };

test('an instance gets the ways of its own wires, and nobody else does', (t) => {
  const records = recordsWith([
    { from: 'web.1', to: 'db.1', transport: 'tcp', port: 5432 },
    { from: 'log.1', to: 'web.1', transport: 'udp', port: 514 },
  ]);

  const web = rulesOf(records, 'web.1', '10.84.0.2');
  const other = rulesOf(records, 'other.1', '10.84.0.9');

  t.deepEqual(web, {
    address: '10.84.0.2',
    ways: [
      { leads: 'in', address: '10.84.0.4', transport: 'udp', port: 514 },
      { leads: 'out', address: '10.84.0.3', transport: 'tcp', port: 5432 },
    ],
  });
  t.deepEqual(other.ways, []);
});

test('a door is let in where it leads, from its own address', (t) => {
  const door: ObjectRecord<'endpoint'> = {
    ...common,
    kind: 'endpoint',
    key: 'web.world',
    door: '10.84.0.125',
    state: {
      ...{ appliance: 'web', terminal: 'world', protocol: 'http', transport: 'tcp' },
      listen: { address: '127.0.0.1', port: 8080 },
      targets: [{ name: 'web.1', address: '10.84.0.2', port: 80 }],
    },
  };
  const records = recordsWith([], [door]);

  t.deepEqual(rulesOf(records, 'web.1', '10.84.0.2').ways, [
    { leads: 'in', address: '10.84.0.125', transport: 'tcp', port: 80 },
  ]);
  t.deepEqual(rulesOf(records, 'db.1', '10.84.0.3').ways, []);
});

test('a way out is reached by its sources alone, and reaches everything beyond the deployment', (t) => {
  const exit: ObjectRecord<'endpoint'> = {
    ...common,
    kind: 'endpoint',
    key: 'out.world',
    state: {
      ...{ appliance: 'out', terminal: 'world', protocol: 'tcp', transport: 'tcp' },
      listen: { address: '10.84.0.1', port: 4430 },
      sources: [{ name: 'web.1', address: '10.84.0.2' }],
      clients: [],
    },
  };
  const records = recordsWith([], [exit]);

  const outlet = outletRulesOf(records, '10.84.0.1', '10.84.0.0/24');

  t.deepEqual(rulesOf(records, 'web.1', '10.84.0.2').ways, [
    { leads: 'out', address: '10.84.0.1', transport: 'tcp', port: 4430 },
  ]);
  t.deepEqual(rulesOf(records, 'db.1', '10.84.0.3').ways, []);
  t.deepEqual(outlet, {
    address: '10.84.0.1',
    inner: '10.84.0.0/24',
    ways: [{ leads: 'in', address: '10.84.0.2', transport: 'tcp', port: 4430 }],
  });
});

test('without a policy nothing passes', (t) => {
  t.deepEqual(rulesOf({ note: undefined, objects: [] }, 'web.1', '10.84.0.2').ways, []);
});

function recordsWith(rules: readonly PolicyRule[], more: readonly ObjectRecord[] = []): Records {
  const members = ['web.1', 'db.1', 'log.1'].map((instance, index) => ({
    instance,
    address: `10.84.0.${index + 2}`,
    mac: `02:00:00:00:00:0${index + 2}`,
  }));
  return {
    note: undefined,
    objects: [{ ...common, kind: 'policy', key: 'wires', state: { rules, members } }, ...more],
  };
}
