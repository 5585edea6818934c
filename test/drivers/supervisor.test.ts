import test from 'ava';
import { reportOf } from '../../engine/drivers/supervisor.ts';

test('what a supervisor says becomes a condition and one line for people', (t) => {
  t.deepEqual(reportOf({ phase: 'waiting', waitingFor: ['db', 'cache'], healthy: null }), {
    condition: 'waiting',
    healthy: null,
    message: 'waits for db, cache',
  });
  t.deepEqual(reportOf({ phase: 'running', healthy: true, message: '' }), {
    condition: 'running',
    healthy: true,
    message: '',
  });
  t.is(reportOf({ phase: 'booting' }).condition, 'starting');
  t.is(reportOf({ phase: 'hooks' }).condition, 'starting');
});

test('a service that keeps ending is named', (t) => {
  const services = [{ name: 'php', state: 'backoff', restarts: 3, exitCode: 1 }];

  t.is(
    reportOf({ phase: 'running', healthy: false, services }).message,
    'service php ended with 1 (restarted 3 times)',
  );
});

for (const status of [
  {},
  { phase: 7, healthy: 'yes', message: ['a'], services: 'none', waitingFor: 3 },
  { phase: '__proto__', healthy: 1, services: [null, 3, {}], waitingFor: [{}, null] },
])
  test(`a supervisor that does not keep to the protocol is believed nothing: ${JSON.stringify(status)}`, (t) => {
    t.deepEqual(reportOf(status), { condition: 'unknown', healthy: null, message: '' });
  });

test('a supervisor whose words cannot be written as text is still reported on', (t) => {
  const services = [{ state: 'backoff', name: { toString: 1, valueOf: 1 }, exitCode: [[{ toString: 1 }]] }];

  const { message } = reportOf({ phase: 'running', services });

  t.is(message, 'service ? ended with ? (restarted ? times)');
});

test('a message cannot act on a terminal', (t) => {
  const { message } = reportOf({ phase: 'running', message: `\u001b]0;title\u0007${'z'.repeat(900)}` });

  t.notRegex(message, /\p{Cc}/u);
  t.is(message.length, 200);
});
