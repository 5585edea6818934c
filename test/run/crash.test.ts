import test from 'ava';
import { down } from '../../engine/run/down.ts';
import { rollBack } from '../../engine/run/roll-back.ts';
import { scale } from '../../engine/run/scale.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import { type Act, killedEverywhere } from './matrix.ts';

const before = guestbook({ replicas: 2 });
const after = guestbook({ replicas: 3, title: 'New title', sizeMiB: 4096 });
const goUp: Act = (context) => up(context, upRequest(before), async () => sampleClosure(before));
const change: Act = (context) => up(context, upRequest(after), async () => sampleClosure(after, 'new'));
const goDown =
  (data: 'keep' | 'delete'): Act =>
  (context) =>
    down(context, { owner: 'default', name: 'shop', data });
const scaleTo =
  (web: number): Act =>
  (context) =>
    scale(context, { owner: 'default', name: 'shop', replicas: { web } });
const undo: Act = (context) => rollBack(context, { owner: 'default', name: 'shop' });

test('up that was killed at any moment ends in the right state when it is run again', async (t) => {
  await killedEverywhere(t, { given: [], act: goUp, rerun: goUp, likeAfter: [goUp] });
});

test('a change that was killed at any moment ends in the right state when it is run again', async (t) => {
  await killedEverywhere(t, { given: [goUp], act: change, rerun: change, likeAfter: [goUp, change] });
});

test('down that was killed at any moment leaves nothing when it is run again', async (t) => {
  await killedEverywhere(t, { given: [goUp], act: goDown('delete'), rerun: goDown('delete'), likeAfter: [] });
});

test('down with kept data that was killed at any moment leaves the data when it is run again', async (t) => {
  await killedEverywhere(t, {
    given: [goUp],
    act: goDown('keep'),
    rerun: goDown('keep'),
    likeAfter: [goUp, goDown('keep')],
  });
});

test('up that was killed at any moment can be taken down', async (t) => {
  await killedEverywhere(t, { given: [], act: goUp, rerun: goDown('delete'), likeAfter: [] });
});

test('up that was killed at any moment can be undone', async (t) => {
  await killedEverywhere(t, { given: [], act: goUp, rerun: undo, likeAfter: [] });
});

test('a change that was killed at any moment can be undone', async (t) => {
  await killedEverywhere(t, { given: [goUp], act: change, rerun: undo, likeAfter: [goUp] });
});

test('scaling up that was killed at any moment ends in the right state when it is run again', async (t) => {
  await killedEverywhere(t, {
    given: [goUp],
    act: scaleTo(4),
    rerun: scaleTo(4),
    likeAfter: [goUp, scaleTo(4)],
  });
});

test('scaling up that was killed at any moment can be undone', async (t) => {
  await killedEverywhere(t, { given: [goUp], act: scaleTo(4), rerun: undo, likeAfter: [goUp] });
});

test('scaling down that was killed at any moment ends in the right state when it is run again', async (t) => {
  await killedEverywhere(t, {
    given: [goUp],
    act: scaleTo(1),
    rerun: scaleTo(1),
    likeAfter: [goUp, scaleTo(1)],
  });
});

test('scaling down that was killed at any moment can be undone', async (t) => {
  await killedEverywhere(t, { given: [goUp], act: scaleTo(1), rerun: undo, likeAfter: [goUp] });
});
