import test from 'ava';
import { addressPlan, checkInstanceAddress } from '../../../engine/drivers/docker/addresses.ts';

test('a subnet is divided between instances, doors and bridges, which share no address', (t) => {
  const plan = addressPlan('10.84.7.0/24');

  t.is(plan.inner, '10.84.7.0/25');
  t.is(plan.bridge, '10.84.7.126');
  t.is(plan.doors[0], '10.84.7.125');
  t.is(plan.doors.at(-1), '10.84.7.110');
  t.is(plan.outer, '10.84.7.128/28');
});

test('a larger subnet is divided alike', (t) => {
  const plan = addressPlan('10.84.8.0/22');

  t.is(plan.inner, '10.84.8.0/23');
  t.is(plan.bridge, '10.84.9.254');
  t.is(plan.outer, '10.84.10.0/28');
});

test('an instance beyond the room of a Docker network is refused', (t) => {
  t.notThrows(() => checkInstanceAddress('10.84.7.2', 24));
  t.notThrows(() => checkInstanceAddress('10.84.7.109', 24));
  t.throws(() => checkInstanceAddress('10.84.7.110', 24), { code: 'PLACEMENT_IMPOSSIBLE' });
});
