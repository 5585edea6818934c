import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { adopt } from '../../engine/run/adopt.ts';
import { readNote } from '../../engine/run/deployment-note.ts';
import { down } from '../../engine/run/down.ts';
import { status } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { openStore } from '../../engine/store/store.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { sampleContext, scratchFolder, upRequest } from '../sample/context.ts';
import { type House, newHouse, thingsIn } from './house.ts';

const blueprint = guestbook();
const request = upRequest(blueprint, { secrets: new Map([['parameter/dbPassword', 'opensesame']]) });
const closure = async () => sampleClosure(blueprint);

/** Enters a house whose state database is gone; the key of the secrets is still there. */
function enterAnew(house: House, home = house.home) {
  const store = openStore(join(scratchFolder(), 'state.db'));
  const freePorts = async (count: number) => Array.from({ length: count }, (_, index) => 50_000 + index);
  const driver = openMemoryDriver({ cells: house.cells });
  return { ...sampleContext({ home, store, driver, freePorts }), store };
}

test('a deployment whose records were lost is adopted as it was, and nothing of it is touched', async (t) => {
  const house = newHouse();
  const before = await up(house.enter().context, request, closure);
  const things = await house.world.things();
  const [record] = await house.store.deployments();
  const { context, store } = enterAnew(house);

  const answer = await adopt(context);

  t.deepEqual(answer, {
    pool: 'local',
    adopted: [
      {
        name: 'shop',
        owner: 'default',
        application: 'guestbook',
        version: '1.0.0',
        objects: 13,
        losses: [],
        unreadableSecrets: [],
      },
    ],
    known: [],
  });
  t.deepEqual(await store.deployments(), record ? [record] : []);
  t.deepEqual(await store.inventory(record?.id ?? ''), await house.store.inventory(record?.id ?? ''));
  t.deepEqual(await status(context, 'default', 'shop'), before);
  t.deepEqual(await house.world.things(), things);
  house.leave();
});

test('what was adopted converges without a step, and goes without a trace', async (t) => {
  const house = newHouse();
  await up(house.enter().context, request, closure);
  const { context, events } = enterAnew(house);
  await adopt(context);

  await up(context, upRequest(blueprint), closure);
  const steps = events.filter((event) => event.type === 'step');
  await down(context, { owner: 'default', name: 'shop', data: 'delete' });

  t.deepEqual(steps, []);
  t.deepEqual(await thingsIn(house), []);
  t.deepEqual(await adopt(context), { pool: 'local', adopted: [], known: [] });
  house.leave();
});

test('a deployment that was stopped on request is adopted as that', async (t) => {
  const house = newHouse();
  const { context: first } = house.enter();
  await up(first, request, closure);
  await down(first, { owner: 'default', name: 'shop', data: 'keep' });
  const { context } = enterAnew(house);

  await adopt(context);

  t.is((await status(context, 'default', 'shop')).state, 'kept');
  house.leave();
});

test('secrets that no key here opens are named', async (t) => {
  const house = newHouse();
  await up(house.enter().context, request, closure);
  rmSync(join(house.home, 'key'));
  const { context } = enterAnew(house);

  const { adopted } = await adopt(context);

  t.deepEqual(adopted[0]?.unreadableSecrets, ['parameter/dbPassword']);
  house.leave();
});

test('what is recorded stays as it is', async (t) => {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, request, closure);
  const before = await house.store.deployments();

  t.deepEqual(await adopt(context), { pool: 'local', adopted: [], known: ['shop'] });

  t.deepEqual(await house.store.deployments(), before);
  house.leave();
});

test('one that cannot be adopted is named, and the others are adopted', async (t) => {
  const house = newHouse();
  const { context: first } = house.enter();
  await up(first, request, closure);
  await up(first, upRequest(blueprint, { name: 'other' }), closure);
  const [other] = (await house.store.deployments()).filter(({ name }) => name === 'other');
  const { context, store } = enterAnew(house);
  await up(context, upRequest(guestbook({ replicas: 1 })), async () =>
    sampleClosure(guestbook({ replicas: 1 })),
  );

  const error = await t.throwsAsync(adopt(context), { code: 'DEPLOYMENTS_FAILED' });

  t.regex(error?.message ?? '', /^1 of the deployments .* the name shop belongs to another/);
  t.deepEqual(
    (await store.deployments()).map(({ name }) => name),
    ['other', 'shop'],
  );
  t.is((await store.deployments())[0]?.id, other?.id);
  house.leave();
});

test('objects that nothing describes are named and left alone', async (t) => {
  const house = newHouse();
  await up(house.enter().context, request, closure);
  const [record] = await house.store.deployments();
  await house.world.leaveNote(record?.id ?? '', null);
  const { context } = enterAnew(house);

  const error = await t.throwsAsync(adopt(context), { code: 'DEPLOYMENTS_FAILED' });

  t.regex(error?.message ?? '', new RegExp(`nothing that describes the deployment ${record?.id}`));
  house.leave();
});

test('a note of a newer program, of another deployment, or of nothing at all is refused', async (t) => {
  const house = newHouse();
  await up(house.enter().context, request, closure);
  const [[id, text] = ['', '']] = await house.world.notes();
  const note = JSON.parse(text);
  const changed = (parts: object): string => JSON.stringify({ ...note, ...parts });

  t.is(readNote(text, id).deployment.name, 'shop');
  t.throws(() => readNote(changed({ format: 2 }), id), { code: 'STATE_NEWER' });
  t.throws(() => readNote(text, 'a00000000000'), { code: 'STATE_CORRUPT' });
  for (const wrong of ['', '[]', '{}', text.slice(0, 100), changed({ secrets: [{}] })])
    t.throws(() => readNote(wrong, id), { code: 'STATE_CORRUPT' });
  const named = { ...note.deployment, name: '../../etc' };
  t.throws(() => readNote(changed({ deployment: named }), id), { code: 'STATE_CORRUPT' });
  house.leave();
});
