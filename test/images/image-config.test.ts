import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { checkRunnable } from '../../engine/images/closure.ts';
import { readImageConfig } from '../../engine/images/image-config.ts';
import type { ImageDefaults } from '../../engine/model/image-defaults.ts';
import { guestbook, sampleAppliance } from '../sample/blueprint.ts';

const second = 1e9;

test("an image's probe runs as its program does, in the times that Docker takes where it says none", (t) => {
  const health = { Test: ['CMD-SHELL', 'curl -f localhost || exit 1'] };

  const found = defaults({ Healthcheck: health, Env: ['A=1'], User: '7', WorkingDir: '/srv' });

  t.deepEqual(found.health, {
    probe: {
      kind: 'command',
      command: ['/bin/sh', '-c', 'curl -f localhost || exit 1'],
      environment: { A: '1' },
      user: '7',
      directory: '/srv',
    },
    intervalMs: 30_000,
    timeoutMs: 30_000,
    failures: 3,
  });
});

test('its times are taken within bounds, and a probe without a shell as the list that it is', (t) => {
  const times = { Interval: 2 * second, Timeout: 1, Retries: 5 };

  const found = defaults({ Healthcheck: { Test: ['CMD', '/check', '-q'], ...times } });

  t.like(found.health, {
    probe: { kind: 'command', command: ['/check', '-q'], environment: {} },
    intervalMs: 2000,
    timeoutMs: 100,
    failures: 5,
  });
});

test('an image without a probe, or with one that is turned off, has none', (t) => {
  for (const Healthcheck of [undefined, null, {}, { Test: [] }, { Test: ['NONE'] }, { Test: ['CMD'] }])
    t.is(defaults({ Healthcheck }).health, undefined);
});

test('a probe that is no text is no image', (t) => {
  const error = t.throws(() => defaults({ Healthcheck: { Test: ['CMD', 7] } }), { instanceOf: EngineError });

  t.is(error?.code, 'BLOB_CORRUPT');
});

test('a signal is known by its name, with or without SIG, or its number; one that is never sent becomes TERM', (t) => {
  const stop = (StopSignal: string): string => defaults({ StopSignal }).stopSignal;

  t.deepEqual(['SIGQUIT', 'INT', '3', '15', '', 'SIGRTMIN+3', '64'].map(stop), [
    ...['QUIT', 'INT', 'QUIT', 'TERM', 'TERM', 'TERM', 'TERM'],
  ]);
});

test('ports are those that are one number; a transport that is not named is tcp', (t) => {
  const exposed = { '80/tcp': {}, '53/udp': {}, '8080': {}, '70000': {}, '1-5/tcp': {}, x: {} };

  t.deepEqual(
    defaults({ ExposedPorts: exposed }).ports.toSorted((a, b) => a.port - b.port),
    [
      { port: 53, transport: 'udp' },
      { port: 80, transport: 'tcp' },
      { port: 8080, transport: 'tcp' },
    ],
  );
});

test('an image that listens where no terminal has its port is told of, one that serves a terminal is not', (t) => {
  const port = 8080;
  const terminals = [{ name: 'in', direction: 'in', protocol: 'http', transport: 'tcp', port }] as const;
  const appliance = sampleAppliance('web', { terminals });
  const notesFor = (exposed: number): readonly string[] => {
    const notes: string[] = [];
    const found = defaults({ Cmd: ['x'], ExposedPorts: { [`${exposed}/tcp`]: {} } });
    checkRunnable(
      { ...guestbook(), appliances: [appliance] },
      new Map([['web@1.0.0', { defaults: found }]]),
      {
        report: (event) => void (event.type === 'warning' && notes.push(event.message)),
      },
    );
    return notes;
  };

  t.deepEqual(notesFor(port), []);
  t.regex(
    notesFor(port + 1).join(),
    new RegExp(`listens on ${port + 1}/tcp, and no terminal of web@1\\.0\\.0`),
  );
});

function defaults(config: Readonly<Record<string, unknown>>): ImageDefaults {
  return readImageConfig({ config, rootfs: { diff_ids: [] } }, digestOf('x')).defaults;
}
