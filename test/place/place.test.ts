import test from 'ava';
import fc from 'fast-check';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { Server } from '../../engine/model/pool.ts';
import { sumResources } from '../../engine/place/demand.ts';
import { capacityOf } from '../../engine/place/feasible.ts';
import { place } from '../../engine/place/place.ts';
import { placementRefusal } from '../../engine/place/refusal.ts';
import { guestbook, sampleAppliance, sampleVolume } from '../sample/blueprint.ts';

const mebibyte = 2 ** 20;
const overhead = { cpuMillicores: 0, memoryBytes: 32 * mebibyte, diskBytes: 0 };

function server(name: string, memoryMiB: number, parts: Partial<Server> = {}): Server {
  return {
    name,
    capacity: { cpuMillicores: 4000, memoryBytes: memoryMiB * mebibyte, diskBytes: 2 ** 40 },
    used: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 },
    labels: {},
    isOpen: true,
    ...parts,
  };
}

function placed(blueprint: Blueprint, servers: readonly Server[], previous: Record<string, string> = {}) {
  return place({ blueprint, servers, overhead, previous: new Map(Object.entries(previous)) }).map(
    (entry) => `${entry.instance} ${entry.server}`,
  );
}

test('replicas are spread, the rest fills the fullest server that has room', (t) => {
  t.deepEqual(placed(guestbook(), [server('a', 1024), server('b', 1024)]), [
    'db.1 a',
    'web.1 a',
    'web.2 b',
    'lb.1 a',
    'edge.1 a',
  ]);
});

test('replicas are spread over racks when they say so', (t) => {
  const [db, web, ...others] = guestbook().appliances;
  if (!db || !web) return t.fail();
  const blueprint: Blueprint = {
    ...guestbook(),
    appliances: [db, { ...web, spread: 'rack' }, ...others],
  };
  const racks = [
    server('a', 1024, { rack: '1' }),
    server('b', 1024, { rack: '1' }),
    server('c', 1024, { rack: '2' }),
  ];

  const [, first, second] = placed(blueprint, racks);

  t.deepEqual([first, second], ['web.1 a', 'web.2 c']);
});

test('instances stay where they are as long as they fit', (t) => {
  const previous = { 'db.1': 'b', 'web.1': 'b', 'web.2': 'a', 'lb.1': 'b', 'edge.1': 'a' };

  const entries = placed(guestbook(), [server('a', 1024), server('b', 1024, { isOpen: false })], previous);

  t.deepEqual(entries, ['db.1 b', 'web.1 b', 'web.2 a', 'lb.1 b', 'edge.1 a']);
});

test('an instance whose server has gone moves, and one with data is refused', (t) => {
  const previous = { 'db.1': 'gone', 'lb.1': 'gone' };

  const entries = place({
    blueprint: guestbook(),
    servers: [server('a', 2048)],
    overhead,
    previous: new Map(Object.entries(previous)),
  });

  t.deepEqual(entries[0], {
    instance: 'db.1',
    server: null,
    rejected: [{ server: 'gone', reason: 'is no longer in the pool, and the data is there' }],
  });
  t.like(entries[3], { instance: 'lb.1', server: 'a' });
});

test('a refusal names what every server lacks', (t) => {
  const big = sampleAppliance('big', {
    terminals: [],
    resources: { cpuMillicores: 100, memoryBytes: 512 * mebibyte },
    volumes: [sampleVolume({ sizeBytes: 2 ** 39 })],
  });
  const blueprint = { ...guestbook(), appliances: [big], wires: [], externals: [] };
  const closed = server('c', 4096, { isOpen: false, reason: 'it is drained' });
  const small = server('b', 4096, { used: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 2 ** 40 } });
  const busy = server('d', 4096, { used: { cpuMillicores: 16_000, memoryBytes: 0, diskBytes: 0 } });

  const error = placementRefusal(
    place({ blueprint, servers: [server('a', 256), small, closed, busy], overhead, previous: new Map() }),
  );

  t.is(error?.code, 'PLACEMENT_IMPOSSIBLE');
  t.is(
    error?.message,
    'big.1 fits on no server: a has 256 MiB of memory free and 544 MiB are needed; ' +
      'b has 0 B of disk free and 512 GiB are needed; c takes nothing new: it is drained; ' +
      'd has 0 cores of processor time free and 0.1 cores are needed',
  );
});

test('a pool without servers is POOL_EMPTY', (t) => {
  t.throws(() => placed(guestbook(), []), { code: 'POOL_EMPTY' });
});

test('no server is ever given more than it has, and equal questions have equal answers', (t) => {
  const serverOf = fc
    .record({
      memory: fc.integer({ min: 0, max: 2000 }),
      used: fc.integer({ min: 0, max: 500 }),
      isOpen: fc.boolean(),
    })
    .map(({ memory, used, isOpen }) =>
      server('', memory, {
        isOpen,
        used: { cpuMillicores: used, memoryBytes: used * mebibyte, diskBytes: used * mebibyte },
      }),
    );
  const applianceOf = fc.record({
    replicas: fc.integer({ min: 1, max: 6 }),
    cpuMillicores: fc.integer({ min: 1, max: 9000 }),
    memory: fc.integer({ min: 1, max: 800 }),
    disk: fc.integer({ min: 0, max: 2 ** 20 }),
    spread: fc.constantFrom(undefined, 'server' as const),
  });

  fc.assert(
    fc.property(
      fc.array(serverOf, { minLength: 1, maxLength: 6 }),
      fc.array(applianceOf, { minLength: 1, maxLength: 6 }),
      (drafts, wishes) => {
        const servers = drafts.map((one, index) => ({ ...one, name: `s${index}` }));
        const appliances = wishes.map((wish, index) =>
          sampleAppliance(`a${index}`, {
            terminals: [],
            replicas: wish.replicas,
            ...(wish.spread && { spread: wish.spread }),
            resources: { cpuMillicores: wish.cpuMillicores, memoryBytes: wish.memory * mebibyte },
            volumes: [sampleVolume({ sizeBytes: wish.disk * mebibyte, perReplica: true })],
          }),
        );
        const request = {
          blueprint: { ...guestbook(), appliances, wires: [], externals: [] },
          servers,
          overhead,
          previous: new Map<string, string>(),
        };

        const entries = place(request);

        t.deepEqual(place(request), entries);
        for (const one of servers) {
          const mine = entries.filter((entry) => entry.server === one.name);
          const demands = mine.map((entry) => {
            const wish = wishes[Number(/^a(\d+)/.exec(entry.instance)?.[1])];
            return {
              cpuMillicores: wish?.cpuMillicores ?? 0,
              memoryBytes: (wish?.memory ?? 0) * mebibyte + overhead.memoryBytes,
              diskBytes: (wish?.disk ?? 0) * mebibyte,
            };
          });
          if (demands.length === 0) continue;
          const held = sumResources([one.used, ...demands]);
          const capacity = capacityOf(one);
          t.true(one.isOpen);
          t.true(held.cpuMillicores <= capacity.cpuMillicores);
          t.true(held.memoryBytes <= capacity.memoryBytes);
          t.true(held.diskBytes <= capacity.diskBytes);
        }
      },
    ),
  );
});
