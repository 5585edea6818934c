import test from 'ava';
import fc from 'fast-check';
import type { DeploymentIdentity } from '../../engine/drivers/driver.ts';
import { memoryCells } from '../../engine/drivers/memory/cells.ts';
import { openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { type Thing, World } from '../../engine/drivers/memory/world.ts';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { Desired, Plan, Step } from '../../engine/model/step.ts';
import type { Recorded } from '../../engine/model/store.ts';
import { allocate } from '../../engine/plan/allocate.ts';
import { desired } from '../../engine/plan/desired.ts';
import { diff } from '../../engine/plan/diff.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';

const signal = new AbortController().signal;
const identity: DeploymentIdentity = {
  id: 'a00000000001',
  name: 'shop',
  owner: 'default',
  blueprint: 'sha256:0',
};

/** A deployment without a journal: a world, what is recorded of it, and plans carried out in any allowed order. */
class Bench {
  readonly world: World;
  readonly #driver;
  #recorded: readonly Recorded[] = [];

  constructor() {
    const cells = memoryCells();
    this.world = new World(cells);
    this.#driver = openMemoryDriver({ cells });
  }

  async plan(blueprint: Blueprint | null, edition = ''): Promise<Plan> {
    return diff({
      deployment: 'shop',
      generation: 1,
      blueprint: 'sha256:0',
      desired: blueprint ? this.#desired(blueprint, edition) : [],
      recorded: this.#recorded,
      observation: await this.#driver.observe(identity, signal),
      mayDelete: () => blueprint === null,
    });
  }

  /** Carries steps out, always choosing one whose predecessors are done; `choices` decides which. */
  async carryOut(plan: Plan, choices: readonly number[], limit = plan.steps.length): Promise<void> {
    const done = new Set<string>();
    const waiting = [...plan.steps];
    for (let count = 0; count < limit; count++) {
      const ready = waiting.filter((step) => step.after.every((id) => done.has(id)));
      const step = ready[(choices[count] ?? 0) % ready.length];
      if (!step) return;
      await this.#driver.perform(step, { deployment: identity, files: [], signal, report: () => undefined });
      this.#record(step);
      done.add(step.id);
      waiting.splice(waiting.indexOf(step), 1);
    }
  }

  #record(step: Step): void {
    const others = this.#recorded.filter((one) => one.kind !== step.kind || one.key !== step.key);
    if (step.action === 'remove') this.#recorded = others;
    else {
      const { kind, key, generation, desired: state } = step;
      this.#recorded = [...others, { kind, key, generation, state, isSettled: true } as Recorded];
    }
  }

  #desired(blueprint: Blueprint, edition: string): readonly Desired[] {
    const recorded = allocate(allocation(guestbook({ replicas: 5 })));
    const chosen = allocate({ ...allocation(blueprint), recorded });
    return desired({
      name: 'shop',
      blueprint,
      allocation: chosen,
      placement: Object.fromEntries(Object.keys(chosen.instances).map((name) => [name, 'memory'])),
      closure: sampleClosure(blueprint, edition),
      secretVersions: new Map(),
      recorded: this.#recorded,
    });
  }
}

function allocation(blueprint: Blueprint) {
  return {
    deployment: identity.id,
    blueprint,
    range: '10.83.0.0/16',
    taken: { subnets: [], listening: [] },
    expose: {},
    ports: [40_000],
  };
}

async function damage(world: World, thing: Thing, how: string): Promise<void> {
  if (how === 'take') await world.take(thing);
  else if (how === 'switch off') await world.put({ ...thing, isOn: false });
  else await world.put({ ...thing, fingerprint: null });
}

const blueprints = fc
  .record({
    replicas: fc.integer({ min: 1, max: 5 }),
    title: fc.constantFrom('One', 'Two'),
    sizeMiB: fc.constantFrom(1024, 2048, 4096),
  })
  .map(guestbook);
const choices = fc.array(fc.nat(50), { minLength: 40, maxLength: 40 });
const damages = fc.array(fc.tuple(fc.nat(50), fc.constantFrom('take', 'switch off', 'half-make')), {
  maxLength: 6,
});

test('whatever is there, damaged in whatever way, one plan carried out in any allowed order leaves nothing to do', async (t) => {
  const wishes = fc.array(fc.tuple(blueprints, fc.constantFrom('', 'new'), choices, fc.nat(30), damages), {
    minLength: 1,
    maxLength: 4,
  });

  await fc.assert(
    fc.asyncProperty(wishes, async (all) => {
      const bench = new Bench();
      for (const [blueprint, edition, order, limit, hits] of all) {
        // carried out in part, then damaged, then repaired
        await bench.carryOut(await bench.plan(blueprint, edition), order, limit);
        for (const [index, how] of hits) {
          const things = await bench.world.things();
          const thing = things[index % Math.max(1, things.length)];
          if (thing) await damage(bench.world, thing, how);
        }
        await bench.carryOut(await bench.plan(blueprint, edition), order);
        t.deepEqual((await bench.plan(blueprint, edition)).steps, []);
      }
      await bench.carryOut(await bench.plan(null), all[0]?.[2] ?? []);
      t.deepEqual(await bench.world.things(), []);
    }),
    { numRuns: 60 },
  );
});
