import test from 'ava';
import type { Allocation } from '../../engine/model/allocation.ts';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { Observation } from '../../engine/model/observation.ts';
import type { Desired } from '../../engine/model/step.ts';
import type { Recorded } from '../../engine/model/store.ts';
import { allocate } from '../../engine/plan/allocate.ts';
import { fingerprintOf } from '../../engine/plan/change.ts';
import { desired } from '../../engine/plan/desired.ts';
import { type DiffRequest, diff } from '../../engine/plan/diff.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { renderPlan } from './render-plan.ts';

const small = guestbook();

function allocationOf(blueprint: Blueprint): Allocation {
  return allocate({
    deployment: 'a00000000001',
    blueprint,
    range: '10.83.0.0/16',
    taken: { subnets: [], listening: [] },
    // the smaller edition was there first
    ...(blueprint !== small && { recorded: allocationOf(small) }),
    expose: {},
    ports: [40_000],
  });
}

function wanted(blueprint: Blueprint, edition = '', recorded: readonly Recorded[] = []): readonly Desired[] {
  const allocation = allocationOf(blueprint);
  const placement = Object.fromEntries(Object.keys(allocation.instances).map((name) => [name, 'local']));
  return desired({
    name: 'shop',
    blueprint,
    allocation,
    placement,
    closure: sampleClosure(blueprint, edition),
    secretVersions: new Map(),
    recorded,
  });
}

function recordedOf(objects: readonly Desired[], isSettled = true): readonly Recorded[] {
  return objects.map((one) => ({ ...one, generation: 1, isSettled }));
}

function foundOf(objects: readonly Desired[]): Observation {
  return {
    objects: objects.map((one) => {
      const common = { key: one.key, generation: 1, fingerprint: fingerprintOf(one.state) };
      return one.kind === 'instance'
        ? { kind: one.kind, ...common, condition: 'running', healthy: true, message: '' }
        : { kind: one.kind, ...common, works: true };
    }),
  };
}

function planOf(parts: Partial<DiffRequest> & Pick<DiffRequest, 'desired'>): string {
  return renderPlan(
    diff({
      deployment: 'shop',
      generation: 2,
      blueprint: 'sha256:0',
      recorded: [],
      observation: { objects: [] },
      mayDelete: () => false,
      ...parts,
    }),
  );
}

test('a new deployment: network, policy, images and volumes, then all instances at once, then endpoints', (t) => {
  t.is(
    planOf({ desired: wanted(small) }),
    `1 create network network
2 create policy wires after 1
3 create image db@1.0.0
4 create image web@1.0.0/web
5 create image lb@1.0.0
6 create image edge@1.0.0
7 create volume db.1/data
8 create instance db.1 after 1 2 3 7
9 create instance web.1 after 1 2 4
10 create instance web.2 after 1 2 4
11 create instance lb.1 after 1 2 5
12 create instance edge.1 after 1 2 6
13 create endpoint edge.web after 1 2 12
`,
  );
});

test('what is there and as it shall be needs nothing', (t) => {
  const objects = wanted(small);

  t.is(
    planOf({ desired: objects, recorded: recordedOf(objects), observation: foundOf(objects) }),
    'nothing to do\n',
  );
});

test('everything goes in the reverse order, and the lost data is named', (t) => {
  const objects = wanted(small);

  t.is(
    planOf({
      desired: [],
      recorded: recordedOf(objects),
      observation: foundOf(objects),
      mayDelete: () => true,
    }),
    `1 remove endpoint edge.web
2 remove instance db.1 after 1
3 remove instance edge.1 after 1
4 remove instance lb.1 after 1
5 remove instance web.1 after 1
6 remove instance web.2 after 1
7 remove volume db.1/data after 2 3 4 5 6
8 remove image db@1.0.0 after 2 3 4 5 6
9 remove image edge@1.0.0 after 2 3 4 5 6
10 remove image lb@1.0.0 after 2 3 4 5 6
11 remove image web@1.0.0/web after 2 3 4 5 6
12 remove policy wires after 2 3 4 5 6
13 remove network network after 1 2 3 4 5 6 12
loses the data of db.1/data
`,
  );
});

test('a changed property reaches the instances that have it in place', (t) => {
  const before = wanted(small);
  const after = wanted(guestbook({ title: 'New' }));

  t.is(
    planOf({ desired: after, recorded: recordedOf(before), observation: foundOf(before) }),
    '1 update instance web.1\n2 update instance web.2\n',
  );
});

test('one replica more: the policy knows it before it starts, and who leads to it when it is healthy', (t) => {
  const before = wanted(small);
  const after = wanted(guestbook({ replicas: 3 }));

  t.is(
    planOf({ desired: after, recorded: recordedOf(before), observation: foundOf(before) }),
    `1 update policy wires
2 update instance db.1 after 1
3 create instance web.3 after 1
4 update instance lb.1 after 1 3 once web.3 healthy
`,
  );
});

test('one replica less: who leads to it is told before it goes, and what it still does is allowed until then', (t) => {
  const before = wanted(guestbook({ replicas: 3 }));
  const after = wanted(small);

  t.is(
    planOf({ desired: after, recorded: recordedOf(before), observation: foundOf(before) }),
    `1 update instance lb.1
2 remove instance web.3 after 1
3 update policy wires after 2
4 update instance db.1 after 3 2
`,
  );
});

test('a policy that forgets more than those who leave comes first', (t) => {
  const before = wanted(guestbook({ replicas: 3 }));
  const { wires, ...rest } = small;
  const cut = wanted({ ...rest, wires: wires.filter((wire) => wire.to.appliance !== 'db') });

  const plan = planOf({ desired: cut, recorded: recordedOf(before), observation: foundOf(before) });

  t.regex(plan, /^1 update policy wires\n2 update instance lb.1 after 1\n3 remove instance web.3 after 2\n/);
});

test('new layers replace the instances that run on them, replicas one at a time', (t) => {
  const before = wanted(small);
  const after = wanted(small, 'new');

  t.is(
    planOf({ desired: after, recorded: recordedOf(before), observation: foundOf(before) }),
    `1 update image db@1.0.0
2 update image web@1.0.0/web
3 update image lb@1.0.0
4 update image edge@1.0.0
5 replace instance db.1 after 1
6 replace instance web.1 after 2
7 replace instance web.2 after 2 6 once web.1 healthy
8 replace instance lb.1 after 3
9 replace instance edge.1 after 4
`,
  );
});

test('a replica that serves is replaced when another one serves that was being started, or was gone', (t) => {
  const before = wanted(small);
  const after = wanted(small, 'new');
  const renewed = after.filter((one) => one.key === 'web.2');
  const all = foundOf([...before.filter((one) => one.key !== 'web.2'), ...renewed]).objects;
  const recorded = recordedOf([...before.filter((one) => one.key !== 'web.2'), ...renewed]);
  const starting = all.map((one) =>
    one.key === 'web.2' && one.kind === 'instance' ? { ...one, condition: 'starting' as const } : one,
  );
  const gone = all.filter((one) => one.key !== 'web.2');

  const whileStarting = planOf({ desired: after, recorded, observation: { objects: starting } });
  const whileGone = planOf({ desired: after, recorded, observation: { objects: gone } });

  t.regex(whileStarting, /replace instance web\.1 .*once web\.2 healthy/);
  t.notRegex(whileStarting, /instance web\.2 /);
  t.regex(whileGone, /create instance web\.2.*\n(.*\n)*.*replace instance web\.1 .*once web\.2 healthy/);
});

test('snapshots come before anything changes, and go when all is well', (t) => {
  const before = wanted(small);
  const after = wanted(small, 'new');
  const state = { instance: 'db.1', server: 'one', volumes: ['db.1/data'] };
  const old = { kind: 'snapshot', key: 'db.1@2', state } as const;
  const fresh = { kind: 'snapshot', key: 'db.1@7', state } as const;

  const plan = planOf({
    desired: [...after, fresh],
    recorded: recordedOf([...before, old]),
    observation: foundOf([...before, old]),
  });

  t.regex(plan, /^1 create snapshot db\.1@7\n/);
  t.regex(plan, /replace instance db\.1 after 1 /);
  t.regex(plan, /remove snapshot db\.1@2 after .* once db\.1 web\.1 web\.2 lb\.1 edge\.1 healthy\n$/);
});

test('a volume grows while nobody has it mounted, and never shrinks', (t) => {
  const before = wanted(small);
  const after = wanted(guestbook({ sizeMiB: 4096 }));

  const growing = planOf({ desired: after, recorded: recordedOf(before), observation: foundOf(before) });
  const shrinking = planOf({
    desired: wanted(small, '', recordedOf(after)),
    recorded: recordedOf(after),
    observation: foundOf(after),
  });

  t.is(
    growing,
    '1 remove instance db.1\n2 update volume db.1/data after 1\n3 create instance db.1 after 1 2\n',
  );
  t.is(shrinking, 'nothing to do\n');
});

test('what was removed or altered behind our back is repaired', (t) => {
  const objects = wanted(small);
  const altered = foundOf(objects).objects.flatMap((one) => {
    if (one.key === 'web.1') return [];
    if (one.key === 'web.2' && one.kind === 'instance') return [{ ...one, condition: 'stopped' as const }];
    if (one.key === 'lb.1') return [{ ...one, fingerprint: null }];
    if (one.kind === 'endpoint') return [{ ...one, works: false }];
    return [one];
  });

  t.is(
    planOf({ desired: objects, recorded: recordedOf(objects), observation: { objects: altered } }),
    '1 create instance web.1\n2 replace instance web.2\n3 update instance lb.1\n4 update endpoint edge.web\n',
  );
});

test('without its network everything that hangs on it is made again', (t) => {
  const objects = wanted(small);
  const { objects: all } = foundOf(objects);

  t.is(
    planOf({
      desired: objects,
      recorded: recordedOf(objects),
      observation: { objects: all.filter((one) => one.kind !== 'network') },
    }),
    `1 create network network
2 update policy wires after 1
3 replace instance db.1 after 1 2
4 replace instance web.1 after 1 2
5 replace instance web.2 after 1 2
6 replace instance lb.1 after 1 2
7 replace instance edge.1 after 1 2
8 update endpoint edge.web after 1 2 7
`,
  );
});

test('what nobody recorded and nobody wants is removed, but a data volume', (t) => {
  const objects = wanted(small);
  const stray = wanted(guestbook({ replicas: 3 })).filter((one) => one.key === 'web.3');
  const volume = {
    kind: 'volume',
    key: 'old.1/data',
    generation: 1,
    fingerprint: null,
    works: true,
  } as const;

  t.is(
    planOf({
      desired: objects,
      recorded: recordedOf(objects),
      observation: { objects: [...foundOf([...objects, ...stray]).objects, volume] },
    }),
    '1 remove instance web.3\n',
  );
});

test('a step whose result was never written is done again', (t) => {
  const objects = wanted(small);

  t.is(
    planOf({
      desired: objects,
      recorded: recordedOf(objects).map((one) => ({ ...one, isSettled: one.key !== 'web.1' })),
      observation: foundOf(objects),
    }),
    '1 update instance web.1\n',
  );
});
