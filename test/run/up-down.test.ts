import { join } from 'node:path';
import test from 'ava';
import { memoryCells } from '../../engine/drivers/memory/cells.ts';
import { openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { World } from '../../engine/drivers/memory/world.ts';
import { down } from '../../engine/run/down.ts';
import { planUp } from '../../engine/run/plan-up.ts';
import { status, summarize } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { openStore } from '../../engine/store/store.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { sampleContext, scratchFolder, upRequest } from '../sample/context.ts';

function house(options: Parameters<typeof openMemoryDriver>[0] = {}) {
  const home = scratchFolder();
  const cells = memoryCells();
  const store = openStore(join(home, 'state.db'));
  const driver = openMemoryDriver({ cells, ...options });
  const life = sampleContext({ home, store, driver });
  return { ...life, home, cells, store, driver, world: new World(cells) };
}

test('up brings every instance of an application up, healthy, with its endpoint', async (t) => {
  const { context } = house();
  const blueprint = guestbook();

  const seen = await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));

  t.is(seen.state, 'running');
  t.deepEqual(
    seen.instances.map((one) => `${one.name} ${one.address} ${one.state} ${one.healthy}`),
    [
      'db.1 10.83.0.2 running true',
      'web.1 10.83.0.3 running null',
      'web.2 10.83.0.4 running null',
      'lb.1 10.83.0.5 running null',
      'edge.1 10.83.0.6 running null',
    ],
  );
  t.deepEqual(seen.endpoints, [
    { name: 'edge.web', url: 'http://127.0.0.1:40000/', address: '127.0.0.1', port: 40_000, works: true },
  ]);
  const [record] = await context.store.deployments();
  t.deepEqual(record && (await summarize(record, async () => context)), {
    name: 'shop',
    application: 'guestbook',
    version: '1.0.0',
    owner: 'default',
    pool: 'local',
    state: 'running',
  });
});

test('up twice does nothing the second time', async (t) => {
  const { context, events } = house();
  const blueprint = guestbook();
  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));
  const before = events.filter((event) => event.type === 'step').length;

  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));

  t.is(events.filter((event) => event.type === 'step').length, before);
});

test('down with deleted data leaves nothing at the provider and no record', async (t) => {
  const { context, world, store } = house();
  const blueprint = guestbook();
  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));

  const answer = await down(context, { owner: 'default', name: 'shop', data: 'delete' });

  t.like(answer, { name: 'shop', keptVolumes: [] });
  t.deepEqual(await world.things(), []);
  t.deepEqual(await store.deployments(), []);
  await t.throwsAsync(status(context, 'default', 'shop'), { code: 'DEPLOYMENT_MISSING' });
});

test('down with kept data leaves the volumes, and up brings the same data, addresses and secrets back', async (t) => {
  const { context, world } = house();
  const blueprint = guestbook();
  const request = upRequest(blueprint);
  const first = await up(context, request, async () => sampleClosure(blueprint));
  const filesBefore = (await world.things()).find((thing) => thing.key === 'db.1')?.files;

  const answer = await down(context, { owner: 'default', name: 'shop', data: 'keep' });
  const kept = await world.things();
  const summary = await status(context, 'default', 'shop');
  const second = await up(context, request, async () => sampleClosure(blueprint));
  const volume = (await world.things()).find((thing) => thing.kind === 'volume');
  const filesAfter = (await world.things()).find((thing) => thing.key === 'db.1')?.files;

  t.deepEqual(answer.keptVolumes, ['db.1/data']);
  t.deepEqual(
    kept.map((thing) => `${thing.kind} ${thing.key}`),
    ['volume db.1/data'],
  );
  t.is(summary.state, 'kept');
  t.is(volume?.born, 1);
  t.deepEqual(second.instances, first.instances);
  t.deepEqual(second.endpoints, first.endpoints);
  t.deepEqual(filesAfter, filesBefore);
});

test('a plan tells what up would do and changes nothing', async (t) => {
  const { context, world, store } = house();
  const blueprint = guestbook();

  const report = await planUp(context, upRequest(blueprint), sampleClosure(blueprint), ['kit']);

  t.deepEqual(report.summary, { create: 13, update: 0, replace: 0, remove: 0 });
  t.deepEqual(report.builds, ['kit']);
  t.deepEqual(await world.things(), []);
  t.deepEqual(await store.deployments(), []);
});
