import test, { type ExecutionContext } from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { move } from '../../engine/move/move.ts';
import { type Act, confirm, discard, goFar, goUp, rollBack, shop, undo } from './acts.ts';
import { type LifeParts, newStreet, type Street } from './street.ts';
import { dataIn, isWorking, writeTo } from './writer.ts';

const tiny = { cpuMillicores: 100, memoryBytes: 2 ** 20, diskBytes: 2 ** 40 };

function failing(when: string, error: EngineError): LifeParts {
  return {
    interfere: async (pool, moment) => {
      if (`${pool} ${moment}` === when) throw error;
    },
  };
}

async function failureOf(street: Street, act: Act, parts: LifeParts = {}): Promise<EngineError> {
  try {
    await street.live(act, parts);
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new EngineError('INTERNAL_ERROR', 'it did not fail');
}

async function worksNearAlone(t: ExecutionContext, street: Street): Promise<void> {
  t.deepEqual([await isWorking(street, 'near'), await isWorking(street, 'far')], [true, false]);
  t.deepEqual(
    (await street.store.deployments()).map(({ name, pool }) => `${name} on ${pool}`),
    ['shop on near'],
  );
  t.deepEqual(await street.worlds.far.things(), []);
  t.deepEqual(await street.store.moves(), []);
  t.is(await dataIn(street, 'near'), 'hello');
}

async function given(): Promise<Street> {
  const street = newStreet();
  await street.live(goUp);
  await writeTo(street, 'near', 'hello');
  return street;
}

test('all that stands against a move is told at once, before anything is changed', async (t) => {
  const street = await given();

  const error = await failureOf(street, goFar, {
    driver: {
      far: {
        servers: [
          { name: 'tiny', capacity: tiny, used: { ...tiny, cpuMillicores: 0 }, labels: {}, isOpen: true },
        ],
      },
    },
    move: { hasBlob: async () => false },
  });

  t.is(error.code, 'MOVE_REFUSED');
  const refusals = error.details['refusals'] as readonly { readonly code: string }[];
  t.deepEqual(
    refusals.map(({ code }) => code),
    ['IMAGE_MISSING', 'IMAGE_MISSING', 'PLACEMENT_IMPOSSIBLE'],
  );
  await worksNearAlone(t, street);
  street.leave();
});

test('a deployment that is not well, and one that is there already, are not moved', async (t) => {
  const street = await given();
  for (const thing of await street.worlds.near.things())
    if (thing.key === 'db.1' && thing.kind === 'instance')
      await street.worlds.near.put({ ...thing, isOn: false });

  const unwell = await failureOf(street, goFar);
  const there = await failureOf(street, (context) => move(context, { ...shop, to: 'near' }));

  t.like(unwell, { code: 'MOVE_REFUSED', hint: 'Mend it first: sheaf repair shop' });
  t.regex(there.message, /on the pool near already/);
  street.leave();
});

for (const [what, moment, error] of [
  [
    'a full disk in the middle of the copying',
    'far amid apply volume db.1/data',
    new EngineError('VOLUME_FULL', 'no room'),
  ],
  [
    'an image that cannot be made ready',
    'far amid ensure image db@1.0.0',
    new EngineError('IMAGE_MISSING', 'gone'),
  ],
  ['a daemon that is gone', 'far before observe', new EngineError('PROVIDER_UNREACHABLE', 'no answer')],
  [
    'an instance that does not boot',
    'far amid ensure instance db.1',
    new EngineError('INSTANCE_FAILED', 'it ended'),
  ],
  [
    'a source that cannot be held',
    'near amid ensure instance db.1',
    new EngineError('INSTANCE_SILENT', 'no answer'),
  ],
] as const) {
  test(`${what} leads back to where it worked, and nothing is left at the target`, async (t) => {
    const street = await given();
    let isFailing = true;

    const told = await failureOf(street, goFar, {
      interfere: async (pool, at) => {
        if (!isFailing || `${pool} ${at}` !== moment) return;
        isFailing = false;
        throw error;
      },
    });

    t.is(told.code, error.code);
    t.regex(told.hint ?? '', /^shop works on near as before/);
    await worksNearAlone(t, street);
    await street.live(goFar);
    t.is(await dataIn(street, 'far'), 'hello');
    street.leave();
  });
}

test('what cannot be removed of a target that is gone is removed later, and the source works meanwhile', async (t) => {
  const street = await given();
  let isDown = false;
  const down: LifeParts = {
    interfere: async (pool, moment) => {
      if (pool === 'far' && moment.startsWith('before apply')) isDown = true;
      if (pool === 'far' && isDown) throw new EngineError('PROVIDER_UNREACHABLE', 'no answer');
    },
  };

  const told = await failureOf(street, goFar, down);

  t.is(told.code, 'PROVIDER_UNREACHABLE');
  t.true(await writeTo(street, 'near', 'hello'));
  t.is((await street.store.move('default', 'shop'))?.phase, 'cleaning');
  await street.live(rollBack);
  await worksNearAlone(t, street);
  street.leave();
});

test('a target that never gets healthy is told with the undo as the remedy, and the undo works', async (t) => {
  const street = await given();

  const told = await failureOf(
    street,
    goFar,
    failing(
      'far amid ensure endpoint edge.web',
      new EngineError('INSTANCE_UNHEALTHY', 'db.1 is not healthy'),
    ),
  );

  t.is(told.code, 'INSTANCE_UNHEALTHY');
  t.regex(told.hint ?? '', /sheaf undo shop/);
  await street.live(undo);
  await worksNearAlone(t, street);
  street.leave();
});

test('an undo that fails leaves the target working, and says why', async (t) => {
  const street = await given();
  await street.live(goFar);

  const told = await failureOf(
    street,
    undo,
    failing('near before apply volume db.1/data', new EngineError('VOLUME_FULL', 'no room')),
  );

  t.is(told.code, 'VOLUME_FULL');
  t.is(told.hint, 'shop works on far as before.');
  t.deepEqual([await isWorking(street, 'near'), await isWorking(street, 'far')], [false, true]);
  await street.live(confirm);
  t.deepEqual(await street.store.moves(), []);
  street.leave();
});

test('changes of a target that is dead can be discarded; what is left of it is removed when it is back', async (t) => {
  const street = await given();
  await street.live(goFar);
  await writeTo(street, 'far', 'never seen again');
  const dead: LifeParts = {
    interfere: async (pool) => {
      if (pool === 'far') throw new EngineError('PROVIDER_UNREACHABLE', 'no answer');
    },
  };

  const told = await failureOf(street, discard, dead);

  t.is(told.code, 'PROVIDER_UNREACHABLE');
  t.true(await isWorking(street, 'near'));
  t.is(await dataIn(street, 'near'), 'hello');
  await street.live(undo);
  await worksNearAlone(t, street);
  street.leave();
});
