import test from 'ava';
import fc from 'fast-check';
import { EngineError } from '../../engine/errors.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { down } from '../../engine/run/down.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { newHouse, thingsIn } from './house.ts';
import { liveIn } from './life.ts';

const small = guestbook({ replicas: 1 });
const large = guestbook({ replicas: 3, title: 'New title', sizeMiB: 4096 });
const shop = { owner: 'default', name: 'shop' };

const acts: Readonly<Record<string, (context: RunContext) => Promise<unknown>>> = {
  small: (context) => up(context, upRequest(small), async () => sampleClosure(small)),
  large: (context) => up(context, upRequest(large), async () => sampleClosure(large, 'new')),
  keep: (context) => down(context, { ...shop, data: 'keep' }),
  undo: (context) => rollBack(context, shop),
};

// what an act may answer when the ones before it were killed anywhere
const answers = ['DEPLOYMENT_MISSING', 'INPUT_REFUSED'];

test('after any sequence of killed acts, up comes up, keeps the data that was kept, and down leaves nothing', async (t) => {
  const sequence = fc.array(
    fc.tuple(fc.constantFrom(...Object.keys(acts)), fc.integer({ min: 1, max: 130 })),
    {
      maxLength: 6,
    },
  );

  await fc.assert(
    fc.asyncProperty(sequence, async (killed) => {
      const house = newHouse();
      for (const [name, moment] of killed) {
        await liveIn(house, acts[name] ?? (async () => undefined), moment).catch((error: unknown) => {
          t.true(error instanceof EngineError && answers.includes(error.code), String(error));
        });
      }

      await liveIn(house, (context) =>
        up(context, upRequest(large), async () => sampleClosure(large, 'new')),
      );
      const seen = await thingsIn(house);
      await liveIn(house, (context) => down(context, { ...shop, data: 'delete' }));

      t.is(seen.length, 14);
      t.false(seen.some((thing) => thing.includes('unfinished')));
      t.deepEqual(await thingsIn(house), []);
      t.deepEqual(await house.store.deployments(), []);
      house.leave();
    }),
    { numRuns: 25 },
  );
});
