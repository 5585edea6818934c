import test from 'ava';
import { formatEvent } from '../../cli/output/event-line.ts';
import { advanceProgress, beginProgress } from '../../cli/output/progress-state.ts';
import { drawProgress, type ProgressFrame } from '../../cli/output/progress-view.ts';
import { chooseStyle } from '../../cli/output/style.ts';
import type { EngineEvent } from '../../engine/model/event.ts';

const frame: ProgressFrame = {
  title: 'up shop',
  now: 12_000,
  columns: 60,
  rows: 24,
  style: chooseStyle({ LANG: 'C' }, false),
  isLive: false,
};
const step = (
  key: string,
  kind: 'network' | 'instance',
  state: 'started' | 'done' | 'failed',
  at: number,
): EngineEvent => ({
  at,
  type: 'step',
  deployment: 'shop',
  id: '1',
  kind,
  key,
  change: 'create',
  state,
});
const instance = (
  name: string,
  condition: 'waiting' | 'running',
  message: string,
  at: number,
): EngineEvent => ({
  at,
  type: 'instance',
  deployment: 'shop',
  instance: name,
  condition,
  healthy: condition === 'running' ? true : null,
  message,
});

test('progress shows what is built, what is done, and how each instance is', (t) => {
  const events: readonly EngineEvent[] = [
    { at: 0, type: 'operation', operation: 'o1', deployment: 'shop', verb: 'up', state: 'started', steps: 3 },
    { at: 0, type: 'build', subject: 'php@1.0.0', state: 'started', message: '' },
    { at: 5_000, type: 'build', subject: 'php@1.0.0', state: 'done', message: 'sha256:0' },
    step('network', 'network', 'started', 5_000),
    step('network', 'network', 'done', 5_100),
    step('db.1', 'instance', 'done', 5_200),
    step('web.1', 'instance', 'done', 5_200),
    instance('db.1', 'running', '', 9_200),
    instance('web.1', 'waiting', 'waits for db\x1b[2J', 9_300),
  ];

  const state = events.reduce(advanceProgress, beginProgress(0));

  t.is(
    drawProgress(state, frame).join('\n'),
    [
      'up shop  3 of 3 steps  0:12',
      '  + php@1.0.0   0:05  built',
      '  + db.1        0:04  running, healthy',
      '  - web.1       0:06  waiting: waits for db\\x1b[2J',
    ].join('\n'),
  );
});

test('progress never has more lines or wider ones than the terminal; what failed or runs stays', (t) => {
  const events = Array.from({ length: 30 }, (_, index) =>
    index === 29
      ? step('web.29', 'instance', 'failed', 0)
      : instance(`web.${index}`, 'running', 'x'.repeat(200), 0),
  );

  const lines = drawProgress(events.reduce(advanceProgress, beginProgress(0)), { ...frame, rows: 10 });

  t.true(lines.length <= 10);
  t.true(lines.every((line) => line.length <= 60));
  t.regex(lines.join('\n'), /x web\.29 .*failed/);
  t.is(lines.at(-1), '  and 24 more');
});

test('in a pipe every event is one line', (t) => {
  t.is(formatEvent(step('db.1', 'instance', 'started', 0)), 'step create instance db.1: started');
  t.is(
    formatEvent(instance('web.1', 'waiting', 'waits\nfor db', 0)),
    'instance web.1: waiting: waits for db',
  );
  t.is(
    formatEvent({ at: 0, type: 'warning', code: 'NOTE', message: 'slow', hint: 'Wait.' }),
    'warning NOTE: slow (Wait.)',
  );
});
