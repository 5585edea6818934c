import test from 'ava';
import type { InstanceCondition, Observation } from '../../engine/model/observation.ts';
import { type StatusInput, status, statusOf } from '../../engine/run/status.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { newHouse } from './house.ts';

const blueprint = guestbook();

async function running(): Promise<StatusInput> {
  const house = newHouse();
  const { context } = house.enter();
  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));
  const [record] = await house.store.deployments();
  if (!record) throw new Error('nothing came up');
  const identity = { id: record.id, name: 'shop', owner: 'default', blueprint: record.spec.digest };
  return {
    record,
    inventory: await house.store.inventory(record.id),
    observation: await context.driver.observe(identity, context.signal),
    unfinished: undefined,
    isHeld: false,
    repairs: 0,
    move: undefined,
    isMoving: false,
  };
}

function seenAs(
  input: StatusInput,
  instances: readonly string[],
  condition: InstanceCondition,
  healthy: boolean | null,
): StatusInput {
  const objects: Observation['objects'] = input.observation.objects.map((one) =>
    one.kind === 'instance' && instances.includes(one.key) ? { ...one, condition, healthy } : one,
  );
  return { ...input, observation: { objects } };
}

const all = ['db.1', 'web.1', 'web.2', 'lb.1', 'edge.1'];

test('the state of a deployment follows from what was seen of its instances', async (t) => {
  const input = await running();
  const stateOf = (...seen: Parameters<typeof seenAs> extends [unknown, ...infer R] ? R : never) =>
    statusOf(seenAs(input, ...seen)).state;

  t.is(statusOf(input).state, 'running');
  t.is(stateOf(['db.1'], 'running', null), 'starting');
  t.is(stateOf(['web.1'], 'waiting', null), 'starting');
  t.is(stateOf(['db.1'], 'running', false), 'degraded');
  t.is(stateOf(['lb.1'], 'failed', null), 'degraded');
  t.is(stateOf(['lb.1'], 'unknown', null), 'degraded');
  t.is(stateOf(['lb.1'], 'absent', null), 'degraded');
  t.is(stateOf(all, 'stopped', null), 'stopped');
});

test('whatever does not work makes a deployment degraded, and is named', async (t) => {
  const input = await running();
  const without = (kind: string) => {
    const objects = input.observation.objects.map((one) =>
      one.kind === kind && one.kind !== 'instance' ? { ...one, works: false } : one,
    );
    return statusOf({ ...input, observation: { objects } });
  };

  const unserved = without('endpoint');

  t.like(unserved, { state: 'degraded', reason: 'nobody serves edge.web' });
  t.false(unserved.endpoints[0]?.works);
  t.like(without('network'), { state: 'degraded', reason: 'its network is not there as it has to be' });
  t.like(without('volume'), { state: 'degraded', reason: 'the volume db.1/data is missing' });
  t.regex(without('image').reason ?? '', /^the image \S+ is not here any more: up with the source/);
});

test('nothing that was not seen is called healthy or existing', async (t) => {
  const input = await running();

  const seen = statusOf({ ...input, observation: { objects: [] } });

  t.is(seen.state, 'stopped');
  t.true(seen.instances.every((one) => one.state === 'absent' && one.healthy === null));
  t.true(seen.endpoints.every((one) => !one.works));
  t.true(seen.volumes.every((one) => !one.exists));
});

test('wires are shown by their ends', async (t) => {
  t.deepEqual(statusOf(await running()).wires, [
    { from: 'edge.out', to: 'lb.in', port: 80, transport: 'tcp' },
    { from: 'lb.out', to: 'web.in', port: 80, transport: 'tcp' },
    { from: 'web.db', to: 'db.in', port: 5432, transport: 'tcp' },
  ]);
});

test('while somebody brings it up a deployment is starting, and unfinished when that one has died', async (t) => {
  const house = newHouse();
  const states: string[] = [];
  const dead = house.enter({}, { isAlive: () => false });
  const { context } = house.enter({
    interfere: async (moment) => {
      if (moment !== 'amid ensure image lb@1.0.0') return;
      states.push((await status(context, 'default', 'shop')).state);
      states.push((await status(dead.context, 'default', 'shop')).state);
    },
  });

  await up(context, upRequest(blueprint), async () => sampleClosure(blueprint));

  t.deepEqual(states, ['starting', 'unfinished']);
});
