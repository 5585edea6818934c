import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import type { BeginMoveRequest } from '../../engine/model/move.ts';
import type { DeploymentSpec, Store } from '../../engine/model/store.ts';
import { applicationId, migrations } from '../../engine/store/schema.ts';
import { openStore } from '../../engine/store/store.ts';
import { guestbook } from '../sample/blueprint.ts';
import { scratchFolder } from '../sample/context.ts';

const me = { pid: 1, startTicks: 10, bootId: 'boot' };
const spec: DeploymentSpec = {
  blueprint: guestbook(),
  digest: digestOf('blueprint'),
  inputs: { set: {}, expose: {} },
  allocation: { subnet: '10.83.0.0/24', instances: {}, endpoints: {} },
  placement: {},
  overhead: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 },
  lifecycle: 'active',
};
const source = { deployment: 'a00000000001', pool: 'local' };
const target = { deployment: 'b00000000001', pool: 'docker' };

function request(parts: Partial<BeginMoveRequest> = {}): BeginMoveRequest {
  return {
    ...{ owner: 'default', name: 'shop', holder: me, isAlive: () => true, at: 5, verb: 'move' },
    decide: ({ move }) => (move ? { change: {} } : { create: { id: 'm00000000001', source, target } }),
    ...parts,
  };
}

async function record(store: Store, id: string, name: string, parts: Partial<DeploymentSpec>): Promise<void> {
  const deployment = { id, name, owner: 'default', pool: 'local', generation: 1, createdAt: 1 };
  const adoption = { secrets: [], inventory: [], operation: `o${id}`, at: 1 };
  await store.adopt({ deployment: { ...deployment, spec: { ...spec, ...parts } }, ...adoption });
}

function openScratch(): Store {
  return openStore(join(scratchFolder(), 'state.db'));
}

test('a state from before there were moves is read, and can have one then', async (t) => {
  const file = join(scratchFolder(), 'state.db');
  const before = migrations.findIndex((one) => one.includes('CREATE TABLE moves'));
  const old = new DatabaseSync(file);
  for (const one of migrations.slice(0, before)) old.exec(one);
  old.exec(`PRAGMA application_id = ${applicationId}`);
  old.exec(`PRAGMA user_version = ${before}`);
  old.close();

  const store = openStore(file);
  const { move } = await store.beginMove(request());

  t.is(move.phase, 'preparing');
  t.deepEqual(await store.moves(), [move]);
  store.close();
});

test('the commit point gives the name to the copy that takes over, and none without a newer generation', async (t) => {
  const store = openScratch();
  await record(store, source.deployment, 'shop', {});
  const { lease } = await store.beginMove(request());
  await record(store, target.deployment, 'shop.aside', {});
  await store.writeMove(lease, { phase: 'finishing' }, 6, 'finishing');

  await t.throwsAsync(store.commitMove(lease, 7), { code: 'STATE_CORRUPT' });

  t.is((await store.deployment('default', 'shop'))?.id, source.deployment);
  store.close();
  const other = openScratch();
  await record(other, source.deployment, 'shop', {});
  const begun = await other.beginMove(request());
  await record(other, target.deployment, 'shop.aside', { dataGeneration: 2 });
  await other.writeMove(begun.lease, { phase: 'finishing' }, 6, 'finishing');
  const move = await other.commitMove(begun.lease, 7);
  t.like(move, { phase: 'switching', committedAt: 7 });
  t.is((await other.deployment('default', 'shop'))?.id, target.deployment);
  t.is((await other.deployment('default', 'shop.aside'))?.id, source.deployment);
  t.deepEqual(
    (await other.events('shop')).map(({ what }) => what),
    ['done', 'move started: preparing', 'done', 'finishing', 'committed: docker has the valid data'],
  );
  other.close();
});

test('a move has one holder: a living one is named, a dead one is succeeded and can write no more', async (t) => {
  const store = openScratch();
  const first = await store.beginMove(request());

  await t.throwsAsync(store.beginMove(request()), { code: 'DEPLOYMENT_BUSY', message: /process 1$/ });
  const second = await store.beginMove(request({ isAlive: () => false }));

  await t.throwsAsync(store.writeMove(first.lease, { phase: 'copying' }, 6, 'copying'), {
    code: 'LEASE_LOST',
  });
  await t.throwsAsync(store.commitMove(first.lease, 6), { code: 'LEASE_LOST' });
  t.is((await store.writeMove(second.lease, { phase: 'copying' }, 6, 'copying')).phase, 'copying');
  await store.endMove(second.lease, true);
  t.deepEqual(await store.moves(), []);
  store.close();
});
