import test from 'ava';
import { formatEvent } from '../../cli/output/event-line.ts';
import { formatMoved } from '../../cli/output/move-text.ts';
import { formatStatus, formatSummaries } from '../../cli/output/status-text.ts';
import type { DeploymentStatus, MoveStatus } from '../../engine/model/status.ts';
import { memoryHost } from './memory-host.ts';
import { violations } from './schemas.ts';

const { host } = memoryHost('pipe');
const day = 24 * 3_600_000;

const moved: DeploymentStatus = {
  name: 'shop',
  application: 'guestbook',
  version: '1.0.0',
  owner: 'default',
  pool: 'docker',
  state: 'running',
  drift: [],
  endpoints: [
    { name: 'edge.web', url: 'http://127.0.0.1:8080/', address: '127.0.0.1', port: 8080, works: true },
  ],
  instances: [],
  wires: [],
  volumes: [],
  move: { phase: 'waiting', from: 'local', to: 'docker', isUndo: false, since: 0, confirmBy: 7 * day },
};

const cutOff = (move: Partial<MoveStatus>): DeploymentStatus => ({
  ...moved,
  state: 'unfinished',
  move: { phase: 'copying', from: 'local', to: 'docker', isUndo: false, since: 0, ...move },
});

test('a move ends with where it works and the decision that waits', (t) => {
  t.is(
    formatMoved(moved, host, day),
    `shop works on docker: guestbook 1.0.0
endpoints:
  edge.web  http://127.0.0.1:8080/
The old copy on local is held and kept. Decide by 1970-01-08T00:00:00.000Z: sheaf confirm shop removes it, sheaf undo shop goes back.`,
  );
  t.regex(formatMoved(moved, host, 8 * day), /That was due by 1970-01-08/);
});

test('status of a move that was cut off says how far it is and how to go on', (t) => {
  const lines = formatStatus(cutOff({}), host).split('\n');

  t.is(
    lines[0],
    'shop: unfinished (move from local to docker: copying), guestbook 1.0.0 on docker, owner default',
  );
  t.is(lines.at(-1), 'Go on with: sheaf move shop --to docker, or return with: sheaf move shop --rollback');
  t.regex(formatStatus(cutOff({ isUndo: true, phase: 'switching' }), host), /Go on with: sheaf undo shop$/);
  t.regex(formatStatus(cutOff({ phase: 'cleaning', error: 'no room' }), host), /It returned: no room/);
  t.regex(formatSummaries([cutOff({})], host), /unfinished \(move from local to docker: copying\)/);
});

test('statuses and events of moves are as their schemas say', (t) => {
  const phase = { type: 'move', deployment: 'shop', phase: 'copying', from: 'local', to: 'docker' } as const;
  const pass = { type: 'copy', deployment: 'shop', volume: 'db.1/data', pass: 2, isLast: false } as const;

  t.deepEqual(violations('status', moved), []);
  t.deepEqual(violations('status', cutOff({ error: 'no room' })), []);
  for (const verb of ['move', 'confirm', 'undo'])
    t.deepEqual(violations(verb, { type: 'result', ...moved }), []);
  t.deepEqual(violations('event', { at: 1, ...phase, state: 'started' }), []);
  t.deepEqual(violations('event', { at: 1, ...pass, state: 'progress', bytes: 5 }), []);
  t.not(violations('event', { at: 1, ...phase, state: 'progress' }).length, 0);
  t.not(violations('status', { ...moved, move: { phase: 'flying' } }).length, 0);
  t.is(formatEvent({ at: 1, ...phase, state: 'started' }), 'move shop, local to docker: copying started');
  t.is(
    formatEvent({ at: 1, ...pass, state: 'done', bytes: 3 * 2 ** 20 }),
    'copy db.1/data: pass 2, 3 MiB, done',
  );
});
