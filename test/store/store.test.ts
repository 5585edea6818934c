import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import type { Plan } from '../../engine/model/step.ts';
import type { BeginRequest, DeploymentSpec, Store } from '../../engine/model/store.ts';
import { applicationId, migrations } from '../../engine/store/schema.ts';
import { sqliteFailure } from '../../engine/store/sqlite-failure.ts';
import { openStore } from '../../engine/store/store.ts';
import { root } from '../cli/run-cli.ts';
import { guestbook } from '../sample/blueprint.ts';
import { scratchFolder } from '../sample/context.ts';

const first = { pid: 1, startTicks: 10, bootId: 'boot' };
const second = { pid: 2, startTicks: 20, bootId: 'boot' };

function spec(subnet = '10.83.0.0/24'): DeploymentSpec {
  return {
    blueprint: guestbook(),
    digest: digestOf('blueprint'),
    inputs: { set: {}, expose: {} },
    allocation: { subnet, instances: {}, endpoints: {} },
    placement: {},
    overhead: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 },
    lifecycle: 'active',
  };
}

function request(parts: Partial<BeginRequest> = {}): BeginRequest {
  return {
    owner: 'default',
    name: 'shop',
    verb: 'up',
    operation: `operation-${Math.random()}`,
    holder: first,
    isAlive: () => true,
    at: 1,
    decide: ({ current }) => ({
      id: current?.id ?? 'a00000000001',
      pool: 'local',
      spec: current?.spec ?? spec(),
      secrets: [],
    }),
    ...parts,
  };
}

const plan: Plan = {
  deployment: 'shop',
  generation: 1,
  blueprint: digestOf('blueprint'),
  losesData: [],
  steps: [
    {
      id: '1',
      kind: 'network',
      key: 'network',
      generation: 1,
      change: 'create',
      after: [],
      before: null,
      action: 'ensure',
      desired: { subnet: '10.83.0.0/24', gateway: '10.83.0.1' },
    },
  ],
};

function fresh(): { readonly file: string; readonly store: Store } {
  const file = join(scratchFolder(), 'home', 'state.db');
  return { file, store: openStore(file) };
}

test('a state file is for its owner alone', async (t) => {
  const { file, store } = fresh();
  await store.begin(request());

  for (const suffix of ['', '-wal', '-shm']) t.is(statSync(file + suffix).mode & 0o777, 0o600, suffix);
  t.is(statSync(join(file, '..')).mode & 0o777, 0o700);
});

test('what the first version recorded is read as it was, with the decision that it did not write', async (t) => {
  const file = join(scratchFolder(), 'state.db');
  const old = new DatabaseSync(file);
  old.exec(readFileSync(join(root, 'test/fixtures/state/version-1.sql'), 'utf8'));
  old.close();

  const store = openStore(file);
  t.teardown(() => store.close());

  const [shop, blog] = await Promise.all(['shop', 'blog'].map((name) => store.deployment('default', name)));
  t.like(shop, { id: 'a00000000001', pool: 'local', generation: 3, createdAt: 1_700_000_000_000 });
  t.like(shop?.spec, { lifecycle: 'active', placement: { 'web.1': 'local' } });
  const [removal] = await store.unfinished('a00000000001');
  t.like(removal?.operation, { id: 'down1', verb: 'down', data: 'delete', state: 'running' });
  t.deepEqual(
    removal?.steps.map(({ id, state, order }) => `${id} ${state} ${order}`),
    ['1 done 1', '2 started 2'],
  );
  const kept = await store.unfinished(blog?.id ?? '');
  // the later one failed before it had a plan, so it left nothing to finish
  t.deepEqual(
    kept.map(({ operation }) => `${operation.id} ${operation.data}`),
    ['down2 keep'],
  );
  t.is((await store.leaseHolder('a00000000001'))?.holder?.pid, 4711);
  t.like((await store.inventory('a00000000001'))[0], { kind: 'volume', key: 'db.1/data', isSettled: true });
  t.deepEqual(await store.secrets('a00000000001'), [{ name: 'password', version: 1, sealed: 'sealed text' }]);
  t.is((await store.events('shop'))[0]?.what, 'started');
  t.is(store.refs.get('kit/one'), `sha256:${'0'.repeat(64)}`);
});

test('a file of every older version is brought to the schema of a fresh one', (t) => {
  const schemaOf = (file: string): unknown =>
    new DatabaseSync(file).prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all();
  const { file: model } = fresh();
  for (let version = 0; version <= migrations.length; version++) {
    const file = join(scratchFolder(), 'state.db');
    const old = new DatabaseSync(file);
    for (const migration of migrations.slice(0, version)) old.exec(migration);
    if (version > 0) old.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`);
    old.close();

    openStore(file).close();

    t.deepEqual(schemaOf(file), schemaOf(model), `from version ${version}`);
  }
});

test('a file of a newer program is refused and left alone', (t) => {
  const { file, store } = fresh();
  store.close();
  const other = new DatabaseSync(file);
  other.exec(`PRAGMA user_version = ${migrations.length + 1}`);
  other.close();
  const before = readFileSync(file);

  t.throws(() => openStore(file), { code: 'STATE_NEWER' });
  t.deepEqual(readFileSync(file), before);
});

test('a file that is no database, half of one, or of another program is STATE_CORRUPT', async (t) => {
  const text = join(scratchFolder(), 'state.db');
  writeFileSync(text, 'this is not a database, it is a text of some length\n'.repeat(100));
  const other = join(scratchFolder(), 'state.db');
  new DatabaseSync(other).exec('CREATE TABLE mine (id)');
  const { file: half, store } = fresh();
  await store.begin(request());
  store.close();
  truncateSync(half, 8192);

  t.throws(() => openStore(text), { code: 'STATE_CORRUPT' });
  t.throws(() => openStore(other), { code: 'STATE_CORRUPT' });
  await t.throwsAsync(async () => await openStore(half).deployments(), { code: 'STATE_CORRUPT' });
});

test('a row that holds nonsense is STATE_CORRUPT', async (t) => {
  const { file, store } = fresh();
  await store.begin(request());
  new DatabaseSync(file).exec("UPDATE deployments SET spec = '{'");

  await t.throwsAsync(store.deployments(), { code: 'STATE_CORRUPT' });
});

test('a write that finds no room is DISK_FULL', (t) => {
  const database = new DatabaseSync(join(scratchFolder(), 'small.db'));
  database.exec('PRAGMA max_page_count = 4; CREATE TABLE big (text)');

  const error = t.throws(() =>
    database.exec(
      'INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) SELECT hex(randomblob(99)) FROM n',
    ),
  );

  t.like(sqliteFailure(error, 'state.db'), { code: 'DISK_FULL' });
});

test('a database that stays locked is DEPLOYMENT_BUSY', (t) => {
  const file = join(scratchFolder(), 'state.db');
  const holder = new DatabaseSync(file);
  holder.exec('CREATE TABLE one (id); BEGIN EXCLUSIVE');

  const error = t.throws(() => new DatabaseSync(file, { timeout: 1 }).exec('INSERT INTO one VALUES (1)'));

  t.like(sqliteFailure(error, 'state.db'), { code: 'DEPLOYMENT_BUSY' });
});

test('a deployment that a living process works on is busy, and one of a dead process is taken over at once', async (t) => {
  const { store } = fresh();
  const begun = await store.begin(request());

  await t.throwsAsync(store.begin(request({ holder: second })), { code: 'DEPLOYMENT_BUSY' });
  const taken = await store.begin(request({ holder: second, isAlive: () => false }));

  t.is(taken.lease.epoch, begun.lease.epoch + 1);
  t.deepEqual(
    taken.resumed.map((one) => one.operation.id),
    [begun.operation.id],
  );
  t.is((await store.unfinished(begun.deployment.id))[1]?.operation.state, 'superseded');
});

test('who has lost the lease can write nothing more', async (t) => {
  const { store } = fresh();
  const { lease, operation } = await store.begin(request());
  await store.begin(request({ holder: second, isAlive: () => false }));
  const lost = { code: 'LEASE_LOST' };

  await t.throwsAsync(store.writePlan(lease, operation.id, plan), lost);
  await t.throwsAsync(store.writeEvents(lease, []), lost);
  await t.throwsAsync(store.end(lease, operation.id, { state: 'done', spec: null }, 2), lost);
  await t.throwsAsync(
    store.writeStep(lease, {
      operation: operation.id,
      step: '1',
      state: 'done',
      at: 2,
      inventory: null,
      event: { kind: 'network', key: 'network', what: 'create done' },
    }),
    lost,
  );
  t.is((await store.deployments()).length, 1);
});

test('a decision that throws leaves everything as it was, the lease included', async (t) => {
  const { store } = fresh();
  const decide = () => {
    throw new RangeError('no');
  };

  await t.throwsAsync(store.begin(request({ decide })), { instanceOf: RangeError });
  await store.begin(request());
  await t.throwsAsync(store.begin(request({ decide, isAlive: () => false, holder: second })), {
    instanceOf: RangeError,
  });

  t.deepEqual((await store.leaseHolder('a00000000001'))?.holder, first);
  t.is((await store.events('shop')).length, 1);
});

test('an operation that is abandoned leaves the one that it took over unfinished, and no new secret', async (t) => {
  const { store } = fresh();
  const begun = await store.begin(request());
  const secrets = [{ name: 'password', version: 1, sealed: 'text' }];
  const next = await store.begin(
    request({
      isAlive: () => false,
      decide: () => ({ id: 'unused', pool: 'local', spec: spec('10.83.9.0/24'), secrets }),
    }),
  );

  await store.end(next.lease, next.operation.id, { state: 'abandoned' }, 2);

  t.is((await store.deployment('default', 'shop'))?.spec.allocation.subnet, '10.83.0.0/24');
  t.deepEqual(await store.secrets(begun.deployment.id), []);
  t.like((await store.unfinished(begun.deployment.id))[0]?.operation, {
    id: begun.operation.id,
    state: 'interrupted',
  });
});

test('a first operation that is abandoned leaves no deployment', async (t) => {
  const { store } = fresh();
  const { lease, operation } = await store.begin(request());

  await store.end(lease, operation.id, { state: 'abandoned' }, 2);

  t.deepEqual(await store.deployments(), []);
});

test('steps, their order and the inventory are read back as they were written', async (t) => {
  const { file, store } = fresh();
  const { lease, operation, deployment } = await store.begin(request());
  await store.writePlan(lease, operation.id, plan);
  const state = { subnet: '10.83.0.0/24', gateway: '10.83.0.1' };
  const recorded = { kind: 'network', key: 'network', state, generation: 1, isSettled: false } as const;
  await store.writeStep(lease, {
    operation: operation.id,
    step: '1',
    state: 'started',
    at: 5,
    inventory: { set: recorded },
    event: { kind: 'network', key: 'network', what: 'create started' },
  });
  store.close();

  const again = openStore(file);

  t.deepEqual(await again.inventory(deployment.id), [recorded]);
  const [latest] = await again.unfinished(deployment.id);
  t.deepEqual(latest?.operation.plan, plan);
  t.deepEqual(latest?.steps, [{ id: '1', state: 'started', order: 1 }]);
  t.deepEqual(await again.events('shop'), [
    { at: 1, deployment: 'shop', operation: operation.id, kind: 'operation', key: 'up', what: 'started' },
    {
      at: 5,
      deployment: 'shop',
      operation: operation.id,
      kind: 'network',
      key: 'network',
      what: 'create started',
    },
  ]);
});

test('names for digests are kept, and a digest that was tampered with is refused', (t) => {
  const { file, store } = fresh();
  store.refs.set('image/one', digestOf('one'));
  store.refs.set('image/one', digestOf('two'));

  t.is(store.refs.get('image/one'), digestOf('two'));
  t.is(store.refs.get('image/none'), undefined);
  new DatabaseSync(file).exec("UPDATE refs SET digest = 'nonsense'");
  t.throws(() => store.refs.get('image/one'), { code: 'STATE_CORRUPT' });
});
