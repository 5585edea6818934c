import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { runCommand } from '../../engine/command.ts';
import type { Digest } from '../../engine/digest.ts';
import { buildKit } from '../../engine/images/kit.ts';
import type { NamedKit } from '../../engine/model/kit.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { openSession, type Session } from './guest-channel.ts';
import { type Machine, type MachineRequest, makeLayer, makeSeed, startMachine } from './guest-machine.ts';

const kitSources = join(import.meta.dirname, '../../kit');

let root: string;
let layer: string;
let parts: Pick<MachineRequest, 'kernel' | 'initramfs' | 'modules'>;
let kit: NamedKit;
const running = new Set<Machine>();

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'kit-'));
  layer = await makeLayer(root);
  const store = await openStore('first');
  kit = await store.build();
  parts = {
    kernel: store.blobs.path(kit.kit.kernel.digest),
    initramfs: store.blobs.path(kit.kit.initramfs.digest),
    modules: store.blobs.path(kit.kit.modules.digest),
  };
});

test.afterEach.always(async () => {
  for (const machine of running) {
    machine.process.kill('SIGKILL');
    await machine.ended;
  }
  running.clear();
});

test.after.always(async () => {
  await rm(root, { recursive: true, force: true });
});

test.serial('equal sources and packages give equal kits, and a stored one is not built again', async (t) => {
  const store = await openStore('second');

  const again = await store.build();
  const cached = await store.build();

  t.deepEqual(again, kit);
  t.deepEqual(cached, kit);
  t.is(store.reports.filter((state) => state === 'started').length, 1);
  t.is(store.reports.at(-1), 'cached');
});

test.serial('the kit of these sources is found when apt knows no kernel', async (t) => {
  const store = await openStore('second');
  const before = process.env['APT_CONFIG'];
  process.env['APT_CONFIG'] = await emptyAptConfig();
  t.teardown(() => {
    if (before === undefined) delete process.env['APT_CONFIG'];
    else process.env['APT_CONFIG'] = before;
  });

  const found = await store.build();
  const elsewhere = await openStore('third');

  t.deepEqual(found, kit);
  await t.throwsAsync(elsewhere.build(), { name: 'EngineError', code: 'IMAGE_FAILED' });
});

test.serial('the programs of the kit pass their own tests', async (t) => {
  const environment = {
    HOME: root,
    GOCACHE: join(root, 'go-cache'),
    GOFLAGS: '-mod=mod',
    GOPROXY: 'off',
    CGO_ENABLED: '0',
  };
  const options = { directory: kitSources, environment, timeoutMs: 300_000 };

  await runCommand('go', ['vet', './...'], options);
  const { stdout } = await runCommand('go', ['test', './...'], options);

  t.regex(stdout, /^ok/m);
});

test.serial('a machine without any image answers its host and switches itself off', async (t) => {
  const machine = await boot('bare', {});
  const session = await openSession(machine.socket('control'));

  const status = await until(session, (s) => s.phase === 'running');
  await session.ask('stop', { timeoutMs: 5000 });

  t.is(status.services.length, 0);
  t.is(await machine.ended, 0);
});

test.serial(
  'services are started in order, served, restarted with growing pauses, and stopped',
  async (t) => {
    const machine = await boot('services', {
      services: [
        service('web', ['/bin/busybox', 'httpd', '-f', '-h', '/www'], { after: ['first'], user: 'web' }),
        service('first', ['sh', '-c', 'echo one; exec busybox sleep 1000']),
        service('flaky', ['sh', '-c', 'echo try; exit 3']),
        service('missing', ['no-such-program']),
      ],
      health: {
        probe: { kind: 'http', port: 80, path: '/' },
        intervalMs: 1000,
        timeoutMs: 1000,
        failures: 2,
      },
    });
    const session = await openSession(machine.socket('control'));

    const healthy = await until(session, (s) => s.healthy === true);
    const page = await session.run(['busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1/']);
    const user = await session.run([
      'sh',
      '-c',
      `${seek('[h]ttpd -f')} | while read pid rest; do busybox stat -c %u:%g /proc/$pid; done`,
    ]);
    const flaky = await until(session, (s) => stateOf(s, 'flaky').restarts >= 3);
    await session.run(['busybox', 'killall', '-9', 'busybox']);
    const back = await until(session, (s) => stateOf(s, 'web').restarts >= 1 && s.healthy === true);
    await session.ask('stop', { timeoutMs: 10_000 });
    const exitCode = await machine.ended;
    const log = await machine.console();

    t.is(healthy.phase, 'running');
    t.is(page.stdout.toString(), 'hello\n');
    t.is(user.stdout.toString(), '33:34\n');
    t.is(stateOf(flaky, 'flaky').exitCode, 3);
    t.is(stateOf(flaky, 'missing').exitCode, 127);
    t.is(stateOf(back, 'web').exitCode, 137);
    t.is(exitCode, 0);
    t.regex(log, /^first: one$/m);
    t.regex(log, /^sheaf: service flaky ended with 3$/m);
  },
);

test.serial('an unhealthy instance says so, and why', async (t) => {
  const machine = await boot('health', {
    services: [service('web', ['/bin/busybox', 'httpd', '-f', '-h', '/www'])],
    health: {
      probe: { kind: 'http', port: 80, path: '/later.html' },
      intervalMs: 500,
      timeoutMs: 1000,
      failures: 2,
    },
  });
  const session = await openSession(machine.socket('control'));

  const before = await until(session, (s) => s.healthy === false && s.message.includes('404'));
  await session.run(['sh', '-c', 'echo now > /www/later.html']);
  const after = await until(session, (s) => s.healthy === true);

  t.is(before.message, 'health: /later.html answers 404');
  t.is(after.message, '');
});

test.serial(
  'waits hold the services, not the machine, and end when a peer answers or is no longer named',
  async (t) => {
    const wait = (terminal: string, port: number, protocol: string): object => ({
      terminal,
      protocol,
      transport: 'tcp',
      peers: [{ address: '127.0.0.1', port }],
    });
    const description = {
      services: [service('main', ['busybox', 'sleep', '1000'])],
      waits: [wait('db', 5432, 'tcp'), wait('api', 8080, 'http')],
    };
    const machine = await boot('waits', description);
    const session = await openSession(machine.socket('control'));
    const other = await openSession(machine.socket('exec.1'));

    const held = await until(session, (s) => s.phase === 'waiting' && s.waitingFor.length === 2);
    const listening = t.throwsAsync(other.run(['busybox', 'httpd', '-f', '-p', '5432']));
    const half = await until(session, (s) => s.waitingFor.length === 1);
    await session.ask('apply', { files: [describe({ ...description, waits: [], generation: 2 })] });
    const free = await until(session, (s) => stateOf(s, 'main').state === 'running');
    other.close();

    t.deepEqual(held.waitingFor, ['db', 'api']);
    t.is(stateOf(held, 'main').state, 'held');
    t.is(held.message, 'waits for db, api');
    t.deepEqual(half.waitingFor, ['api']);
    t.is(free.generation, 2);
    t.is(free.phase, 'running');
    await listening;
  },
);

test.serial('commands get their input, give their output and their exit code', async (t) => {
  const machine = await boot('exec', { services: [] });
  const session = await openSession(machine.socket('exec.1'));
  const input = Buffer.alloc(1_000_000, 'sheaf ');

  const echo = await session.run(['busybox', 'cat'], {}, input);
  const large = await session.run(['sh', '-c', 'busybox head -c 1048576 /dev/zero; echo done >&2; exit 7']);
  const user = await session.run(['sh', '-c', 'busybox id -u; busybox id -G; echo $HOME $A; pwd'], {
    user: 'web',
    environment: { A: 'b' },
    directory: '/www',
  });
  const missing = await session.run(['nothing-of-this-name']);
  const forbidden = await session.run(['/etc/passwd']);
  const killed = await session.run(['sh', '-c', 'kill -TERM $$']);
  const late = await session.run(['busybox', 'sleep', '100'], { timeoutMs: 300 });
  const lingering = await session.run(['sh', '-c', 'busybox setsid busybox sleep 4242 & echo on']);
  const strays = await session.run(['sh', '-c', seek('[s]leep 4242')]);
  const parallel = await Promise.all(
    ['exec.2', 'exec.3', 'exec.4', 'control'].map(async (port) => {
      const one = await openSession(machine.socket(port));
      return (await one.run(['busybox', 'echo', port])).stdout.toString();
    }),
  );

  t.true(echo.stdout.equals(input));
  t.is(large.stdout.length, 1_048_576);
  t.is(large.stderr, 'done\n');
  t.is(large.exitCode, 7);
  t.is(user.stdout.toString(), '33\n34 40\n/www b\n/www\n');
  t.is(missing.exitCode, 127);
  t.is(missing.stderr, 'sheaf: nothing-of-this-name: not found\n');
  t.is(forbidden.exitCode, 126);
  t.is(killed.exitCode, 143);
  t.is(late.exitCode, 137);
  t.is(lingering.stdout.toString(), 'on\n');
  t.is(strays.exitCode, 1);
  t.deepEqual(parallel, ['exec.2\n', 'exec.3\n', 'exec.4\n', 'control\n']);
});

test.serial('a port serves the next host after one that vanished, whose command is ended', async (t) => {
  const machine = await boot('vanish', { services: [] });
  const flood = await openSession(machine.socket('exec.1'));
  const silent = await openSession(machine.socket('exec.2'));
  const torn = await openSession(machine.socket('exec.3'));
  flood.run(['busybox', 'yes']).catch(() => undefined);
  silent.run(['busybox', 'sleep', '4243'], {}, Buffer.alloc(8_000_000)).catch(() => undefined);
  torn.send('{"id":"x","op":"exec","command":["sh","-c"');
  const control = await openSession(machine.socket('control'));
  await untilRun(control, ['sh', '-c', `${seek('[s]leep 4243')} && ${seek('[b]usybox yes')}`], 0);

  for (const session of [flood, silent, torn]) session.close();
  const again = await Promise.all(
    ['exec.1', 'exec.2', 'exec.3'].map(async (port) => {
      const session = await openSession(machine.socket(port));
      return (await session.run(['busybox', 'echo', port])).stdout.toString();
    }),
  );
  await untilRun(control, ['sh', '-c', `${seek('[s]leep 4243')} || ${seek('[b]usybox yes')}`], 1);

  t.deepEqual(again, ['exec.1\n', 'exec.2\n', 'exec.3\n']);
});

test.serial('nonsense on the channel is passed over or refused, and the guest stays reachable', async (t) => {
  const machine = await boot('nonsense', { services: [] });
  const session = await openSession(machine.socket('control'));

  session.send(`${'x'.repeat(3_000_000)}\n{]\n[1]\n"text"\n\n{"id":1}\n`);
  const refusals = await Promise.all([
    refusal(session.ask('dance')),
    refusal(session.ask('exec', { command: 'ls' })),
    refusal(session.ask('read', { path: '/nowhere', offset: 0, length: 1 })),
    refusal(session.ask('read', { path: '/etc', offset: 0, length: 1 })),
    refusal(session.ask('apply', { files: [{ path: '/etc/sheaf/instance.json', content: '{}' }] })),
  ]);
  const status = await until(session, (s) => s.phase !== 'booting');

  t.deepEqual(refusals, [
    'OP_UNKNOWN: no op is named "dance"',
    'REQUEST_WRONG: exec needs a command',
    'FILE_MISSING: open /nowhere: no such file or directory',
    'REQUEST_FAILED: /etc is not a file',
    'REQUEST_FAILED: /etc/sheaf/instance.json: version 0 is not known to this kit',
  ]);
  t.is(status.phase, 'running');
});

test.serial('files are read and written, and a changed one reaches its service', async (t) => {
  const services = [
    service('signalled', ['sh', '-c', 'trap "echo again" HUP; while :; do busybox sleep 0.1; done'], {
      reload: { signal: 'HUP' },
    }),
    service('restarted', ['sh', '-c', 'echo begun; exec busybox sleep 1000']),
  ];
  const files = [
    { path: '/etc/a.conf', onChange: 'signalled' },
    { path: '/etc/b.conf', onChange: 'restarted' },
  ];
  const machine = await boot('apply', { services, files }, [
    { path: '/etc/a.conf', content: 'one', permissions: '0640', owner: 'root:web' },
    { path: '/etc/b.conf', content: Buffer.from('one').toString('base64'), encoding: 'b64' },
  ]);
  const session = await openSession(machine.socket('control'));
  await until(session, (s) => s.services.length > 0 && s.services.every((one) => one.state === 'running'));

  const written = await session.ask('write', {
    path: '/srv/new/c',
    content: Buffer.from('text').toString('base64'),
    mode: '0600',
    owner: 'web',
  });
  const read = await session.ask('read', { path: '/srv/new/c', offset: 1, length: 2 });
  const modes = await session.run([
    'busybox',
    'stat',
    '-c',
    '%a %U:%G',
    '/srv/new/c',
    '/etc/a.conf',
    '/etc/b.conf',
  ]);
  const changed = await session.ask('apply', {
    files: [
      describe({ services, files, hosts: [{ name: 'db', addresses: ['10.1.1.1', '10.1.1.2'] }] }),
      { path: '/etc/a.conf', content: 'two', permissions: '0640', owner: 'root:web' },
      { path: '/etc/b.conf', content: 'two', permissions: '0644' },
    ],
  });
  const unchanged = await session.ask('apply', {
    files: [{ path: '/etc/b.conf', content: 'two', permissions: '0644' }],
  });
  const hosts = await session.run(['busybox', 'cat', '/etc/hosts', '/etc/hostname']);
  await untilLog(machine, /^signalled: again$/m);
  await untilLog(machine, /(restarted: begun\n[\s\S]*){2}/);
  const after = await until(session, (s) => stateOf(s, 'restarted').state === 'running');

  t.deepEqual(written, {});
  t.deepEqual(read, { content: Buffer.from('ex').toString('base64'), size: 4 });
  t.is(modes.stdout.toString(), '600 web:web\n640 root:web\n644 root:root\n');
  t.deepEqual(changed, { changed: ['/etc/sheaf/instance.json', '/etc/a.conf', '/etc/b.conf'] });
  t.deepEqual(unchanged, { changed: [] });
  t.is(hosts.stdout.toString(), '127.0.0.1 localhost\n127.0.1.1 web-1\n10.1.1.1 db\n10.1.1.2 db\nweb-1\n');
  t.is(stateOf(after, 'restarted').restarts, 0);
});

test.serial(
  'data outlive the machine, hooks run when they are due, and draining comes before the end',
  async (t) => {
    const disk = join(root, 'data.img');
    await runCommand('truncate', ['-s', '32M', disk]);
    await runCommand('mkfs.ext4', ['-q', '-F', disk]);
    const description = {
      uses: { name: 'app', version: '1.0.0' },
      volumes: [{ name: 'data', mount: '/www', kind: 'data' }],
      hooks: {
        init: { command: ['sh', '-c', 'echo init >> /www/hooks'], timeoutMs: 5000 },
        migrate: { command: ['sh', '-c', 'echo migrate >> /www/hooks'], timeoutMs: 5000 },
        drain: { command: ['sh', '-c', 'echo drain >> /www/hooks'], timeoutMs: 5000 },
      },
      services: [service('main', ['busybox', 'sleep', '1000'])],
    };
    const life = async (name: string, version: string): Promise<string> => {
      const uses = { name: 'app', version };
      const machine = await boot(name, { ...description, uses }, [], { data: disk });
      const session = await openSession(machine.socket('control'));
      await until(session, (s) => s.phase === 'running');
      const seen = await session.run(['busybox', 'cat', '/www/hooks']);
      await session.ask('stop', { timeoutMs: 10_000 });
      t.is(await machine.ended, 0);
      return seen.stdout.toString().replaceAll('\n', ' ').trim();
    };

    const first = await life('data-1', '1.0.0');
    const second = await life('data-2', '1.0.0');
    const third = await life('data-3', '2.0.0');

    t.is(first, 'init migrate');
    t.is(second, 'init migrate drain');
    t.is(third, 'init migrate drain drain migrate');
  },
);

test.serial(
  'a hook that fails for good leaves the instance failed until another description comes',
  async (t) => {
    const description = {
      services: [service('main', ['busybox', 'sleep', '1000'])],
      hooks: { init: { command: ['sh', '-c', 'exit 9'], timeoutMs: 5000 } },
    };
    const machine = await boot('hook', description);
    const session = await openSession(machine.socket('control'));

    const failed = await until(session, (s) => s.phase === 'failed');
    await session.ask('apply', { files: [describe({ ...description, hooks: {} })] });
    const cured = await until(session, (s) => stateOf(s, 'main').state === 'running');

    t.is(failed.message, 'the hook init ended with 9');
    t.is(cured.phase, 'running');
  },
);

test.serial('a description that cannot be followed is told to the host', async (t) => {
  const machine = await boot('wrong', {
    volumes: [{ name: 'data', mount: '/data', kind: 'data' }],
    services: [],
  });
  const session = await openSession(machine.socket('control'));

  const failed = await until(session, (s) => s.phase === 'failed');
  await session.ask('stop', { timeoutMs: 1000 });

  t.is(failed.message, 'the disk of the volume data is not there');
  t.is(await machine.ended, 0);
});

type Status = {
  readonly phase: string;
  readonly generation: number;
  readonly waitingFor: readonly string[];
  readonly healthy: boolean | null;
  readonly message: string;
  readonly services: readonly {
    readonly name: string;
    readonly state: string;
    readonly restarts: number;
    readonly exitCode: number | null;
  }[];
};

const limitMs = 60_000;

async function until(session: Session, holds: (status: Status) => boolean): Promise<Status> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const status = (await session.ask('status')) as Status;
    if (holds(status)) return status;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(status)}`);
    await delay(50);
  }
}

/** Gives the error that a guest answers. */
async function refusal(answer: Promise<unknown>): Promise<string> {
  return await answer.then(
    String,
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
}

async function untilRun(session: Session, command: readonly string[], exitCode: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while ((await session.run(command)).exitCode !== exitCode) {
    if (Date.now() > deadline) throw new Error(`${command.join(' ')} does not end with ${exitCode}`);
    await delay(100);
  }
}

async function untilLog(machine: Machine, pattern: RegExp): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!pattern.test(await machine.console())) {
    if (Date.now() > deadline) throw new Error(`the console lacks ${pattern}`);
    await delay(50);
  }
}

function stateOf(status: Status, name: string): Status['services'][number] {
  const found = status.services.find((one) => one.name === name);
  return found ?? { name, state: 'absent', restarts: 0, exitCode: null };
}

function service(name: string, command: readonly string[], rest: object = {}): object {
  return { name, command, after: [], environment: {}, stop: { signal: 'TERM', timeoutMs: 3000 }, ...rest };
}

/** A command that lists the processes of a command line; it fails when there are none. */
function seek(pattern: string): string {
  return `busybox ps -o pid,args | busybox grep '${pattern}'`;
}

function complete(description: object): object {
  return { version: 1, deployment: 'd', instance: 'web.1', generation: 1, ...description };
}

function describe(description: object): object {
  const content = JSON.stringify(complete(description));
  return { path: '/etc/sheaf/instance.json', permissions: '0600', content };
}

async function boot(
  name: string,
  description: object,
  files: readonly object[] = [],
  volumes: Readonly<Record<string, string>> = {},
): Promise<Machine> {
  const folder = join(root, name);
  await runCommand('mkdir', ['-p', folder]);
  const isBare = Object.keys(description).length === 0;
  const image = isBare
    ? { layers: [] }
    : { layers: [layer], seed: await makeSeed(folder, complete(description), files) };
  const machine = await startMachine({ folder, ...parts, ...image, volumes });
  running.add(machine);
  return machine;
}

async function emptyAptConfig(): Promise<string> {
  const file = join(root, 'apt.conf');
  const lists = join(root, 'apt-lists');
  await runCommand('mkdir', ['-p', lists]);
  const text = `Dir::State::lists "${lists}"; Dir::Cache "${lists}"; Dir::State::status "/dev/null";\n`;
  await runCommand('sh', ['-c', 'cat > "$0"', file], { input: text });
  return file;
}

async function openStore(name: string) {
  const folder = join(root, `store-${name}`);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'tmp') });
  const known = stores.get(name) ?? new Map<string, Digest>();
  stores.set(name, known);
  const refs = {
    get: (ref: string) => known.get(ref),
    set: (ref: string, digest: Digest) => void known.set(ref, digest),
  };
  const reports: string[] = [];
  const build = () =>
    buildKit({
      sources: kitSources,
      blobs,
      refs,
      scratch: join(folder, 'scratch'),
      signal: new AbortController().signal,
      report: (event) => void (event.type === 'build' && reports.push(event.state)),
    });
  return { blobs, build, reports };
}

const stores = new Map<string, Map<string, Digest>>();
