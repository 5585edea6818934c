import test from 'ava';
import fc from 'fast-check';
import { type AllocationRequest, allocate } from '../../engine/plan/allocate.ts';
import { firstFree, formatSubnet, overlaps, parseSubnet } from '../../engine/plan/subnet.ts';
import { guestbook } from '../sample/blueprint.ts';

function request(parts: Partial<AllocationRequest> = {}): AllocationRequest {
  return {
    deployment: 'a00000000001',
    blueprint: guestbook(),
    range: '10.83.0.0/16',
    taken: { subnets: [], listening: [] },
    expose: {},
    ports: [40_000, 40_001],
    ...parts,
  };
}

test('a deployment gets the first free subnet, addresses from the second on, and a free loopback port', (t) => {
  const taken = { subnets: ['10.83.0.0/24', '10.83.2.0/24'], listening: [] };

  const allocation = allocate(request({ taken }));

  t.is(allocation.subnet, '10.83.1.0/24');
  t.deepEqual(
    Object.entries(allocation.instances).map(([name, one]) => `${name} ${one.address}`),
    ['db.1 10.83.1.2', 'web.1 10.83.1.3', 'web.2 10.83.1.4', 'lb.1 10.83.1.5', 'edge.1 10.83.1.6'],
  );
  t.deepEqual(allocation.endpoints, { 'edge.web': { address: '127.0.0.1', port: 40_000 } });
});

test('what was recorded is kept, and a replica that went gives its address back', (t) => {
  const recorded = allocate(request());

  const smaller = allocate(request({ recorded, blueprint: guestbook({ replicas: 1 }), ports: [50_000] }));
  const larger = allocate(request({ recorded: smaller, blueprint: guestbook({ replicas: 3 }) }));

  t.deepEqual(smaller.endpoints, recorded.endpoints);
  t.is(smaller.instances['edge.1']?.address, recorded.instances['edge.1']?.address);
  t.false('web.2' in smaller.instances);
  t.deepEqual(
    Object.values(larger.instances).map((one) => one.address),
    ['10.83.0.2', '10.83.0.3', '10.83.0.4', '10.83.0.7', '10.83.0.5', '10.83.0.6'],
  );
});

test('two copies of one application have no hardware address in common', (t) => {
  const one = allocate(request());
  const two = allocate(request({ deployment: 'a00000000002' }));

  const macs = [...Object.values(one.instances), ...Object.values(two.instances)].map((each) => each.mac);
  t.is(new Set(macs).size, 10);
  t.true(macs.every((mac) => /^02(:[0-9a-f]{2}){5}$/.test(mac)));
});

test('a wish to be exposed somewhere is kept to, or refused', (t) => {
  const at = (address: string, port: number) => ({ 'edge.web': { address, port } });
  const listening = [{ address: '0.0.0.0', port: 8080, transport: 'tcp' }] as const;
  const taken = { subnets: [], listening };

  t.deepEqual(allocate(request({ expose: at('0.0.0.0', 80) })).endpoints, at('0.0.0.0', 80));
  for (const [expose, code] of [
    [at('127.0.0.1', 8080), 'ADDRESS_TAKEN'],
    [at('localhost', 80), 'INPUT_REFUSED'],
    [at('127.0.0.1', 0), 'INPUT_REFUSED'],
    [at('127.0.0.1', 65_536), 'INPUT_REFUSED'],
    [{ 'web.in': { address: '127.0.0.1', port: 80 } }, 'INPUT_REFUSED'],
    [{ constructor: { address: '127.0.0.1', port: 80 } }, 'INPUT_REFUSED'],
  ] as const) {
    t.throws(() => allocate(request({ expose, taken })), { code }, JSON.stringify(expose));
  }
});

test('a place at which nothing can listen is refused as soon as it is asked for', (t) => {
  const expose = { 'edge.web': { address: '192.0.2.1', port: 80 } };
  const refused = (refusal: 'taken' | 'absent') =>
    request({ expose, refusals: new Map([['edge.web', refusal]]) });

  t.throws(() => allocate(refused('taken')), {
    code: 'ADDRESS_TAKEN',
    message: '192.0.2.1:80 for edge.web is in use by another program',
  });
  t.throws(() => allocate(refused('absent')), {
    code: 'INPUT_REFUSED',
    message: 'this machine has no address 192.0.2.1 for edge.web',
  });
});

test('a port that another deployment keeps is passed over, and none left is ADDRESS_TAKEN', (t) => {
  const listening = [{ address: '127.0.0.1', port: 40_000, transport: 'tcp' }] as const;
  const taken = { subnets: [], listening };

  t.is(allocate(request({ taken })).endpoints['edge.web']?.port, 40_001);
  t.throws(() => allocate(request({ taken, ports: [40_000] })), { code: 'ADDRESS_TAKEN' });
});

test('a large application gets a larger subnet', (t) => {
  const allocation = allocate(request({ blueprint: guestbook({ replicas: 997 }) }));

  t.is(allocation.subnet, '10.83.0.0/22');
  t.is(new Set(Object.values(allocation.instances).map((one) => one.address)).size, 1000);
});

test('a range without room, a subnet without room, and a range that is none are refused', (t) => {
  const full = { subnets: ['10.83.0.0/24'], listening: [] };
  const recorded = allocate(request());

  t.throws(() => allocate(request({ range: '10.83.0.0/24', taken: full })), { code: 'PLACEMENT_IMPOSSIBLE' });
  t.throws(() => allocate(request({ recorded, blueprint: guestbook({ replicas: 300 }) })), {
    code: 'INPUT_REFUSED',
  });
  for (const range of ['10.83.0.1/16', '10.83.0.0', '10.83.0.0/33', '300.0.0.0/8', 'x/8', '']) {
    t.throws(() => allocate(request({ range })), { code: 'INPUT_REFUSED' }, range);
  }
});

test('free subnets never overlap those taken', (t) => {
  const range = parseSubnet('10.0.0.0/20');
  const subnet = fc.tuple(fc.nat(4095), fc.integer({ min: 22, max: 28 })).map(([offset, prefix]) => {
    const size = 2 ** (32 - prefix);
    return { base: range.base + Math.floor(offset / size) * size, prefix };
  });

  fc.assert(
    fc.property(fc.array(subnet, { maxLength: 20 }), fc.integer({ min: 21, max: 28 }), (taken, prefix) => {
      const free = firstFree(range, prefix, taken);
      if (!free) return;
      t.true(overlaps(free, range));
      t.false(taken.some((one) => overlaps(one, free)));
      t.deepEqual(parseSubnet(formatSubnet(free)), free);
    }),
  );
});
