import test from 'ava';
import { formatPlacement, formatPlan } from '../../cli/output/plan-text.ts';
import { formatPool } from '../../cli/output/pool-text.ts';
import { startReporter } from '../../cli/output/reporter.ts';
import {
  formatArrival,
  formatDeparture,
  formatStatus,
  formatSummaries,
} from '../../cli/output/status-text.ts';
import type { DeploymentStatus, PlanReport } from '../../engine/model/status.ts';
import { memoryHost } from './memory-host.ts';
import { violations } from './schemas.ts';

const { host } = memoryHost('pipe');
const digest = `sha256:${'0'.repeat(64)}` as const;
const gibibyte = 2 ** 30;

const shop: DeploymentStatus = {
  name: 'shop',
  application: 'guestbook',
  version: '1.0.0',
  owner: 'default',
  pool: 'local',
  state: 'degraded',
  drift: [{ kind: 'network', key: 'network', what: 'gone' }],
  endpoints: [
    { name: 'edge.web', url: 'http://127.0.0.1:8080', address: '127.0.0.1', port: 8080, works: true },
    { name: 'edge.dns', url: 'dns://127.0.0.1:53', address: '127.0.0.1', port: 53, works: false },
  ],
  instances: [
    {
      name: 'web.1',
      appliance: 'web',
      uses: 'php@1.0.0',
      server: 'local',
      address: '10.83.0.5',
      state: 'running',
      healthy: true,
      message: '',
    },
    {
      name: 'db.1',
      appliance: 'db',
      uses: 'postgresql@1.0.0',
      server: 'local',
      address: '10.83.0.6',
      state: 'running',
      healthy: false,
      message: 'service postgresql is restarted for the 3rd time',
    },
  ],
  wires: [{ from: 'web.db', to: 'db.in', port: 5432, transport: 'tcp' }],
  volumes: [{ name: 'db.1/data', sizeBytes: 2 * gibibyte, exists: false }],
};

const report: PlanReport = {
  name: 'shop',
  plan: {
    deployment: 'shop',
    generation: 2,
    blueprint: digest,
    steps: [
      {
        id: '1',
        kind: 'network',
        key: 'network',
        generation: 2,
        change: 'create',
        after: [],
        before: null,
        action: 'ensure',
        desired: { subnet: '10.83.0.0/24', gateway: '10.83.0.1' },
      },
      {
        id: '2',
        kind: 'volume',
        key: 'db.1/data',
        generation: 2,
        change: 'remove',
        after: ['1'],
        before: null,
        action: 'remove',
        desired: null,
        deletesData: true,
      },
    ],
    losesData: ['db.1/data'],
  },
  summary: { create: 1, update: 0, replace: 0, remove: 1 },
  placement: [
    {
      instance: 'web.1',
      server: 'local',
      score: 0.5,
      rejected: [{ server: 'small', reason: 'has 0 B memory free' }],
    },
    {
      instance: 'db.1',
      server: null,
      rejected: [{ server: 'local', reason: 'needs 4 GiB memory, has 1 GiB' }],
    },
  ],
  builds: ['php@1.0.0'],
  restarts: ['web.1'],
};

test('status shows endpoints, instances, wires and volumes, and what is wrong with them', (t) => {
  t.is(
    formatStatus(shop, host),
    `shop: degraded, guestbook 1.0.0 on local, owner default
endpoints:
  edge.web  http://127.0.0.1:8080
  edge.dns  dns://127.0.0.1:53     nobody serves it
instances:
  web.1  php@1.0.0         local  10.83.0.5  running, healthy
  db.1   postgresql@1.0.0  local  10.83.0.6  running, not healthy: service postgresql is restarted for the 3rd time
wires:
  web.db  ->  db.in  tcp 5432
volumes:
  db.1/data  2 GiB  missing
drift:
  network  network  gone
Heal it with: sheaf repair shop`,
  );
  t.deepEqual(violations('status', shop), []);
});

test('the list of deployments says which operation waits, and what to type when there is none', (t) => {
  const unfinished = {
    ...shop,
    state: 'unfinished',
    operation: { id: 'o1', verb: 'up', done: 3, steps: 9 },
  } as const;

  t.is(
    formatSummaries([unfinished], host),
    `NAME  APPLICATION      POOL   STATE
shop  guestbook 1.0.0  local  unfinished (up: 3 of 9 steps done)`,
  );
  t.regex(formatSummaries([], host), /^no deployments\n.*up applications\/guestbook --as guestbook$/);
});

test('up ends with the endpoint, the instances and what to type next', (t) => {
  const text = formatArrival(shop, host);

  t.regex(text, /edge\.web {2}http:\/\/127\.0\.0\.1:8080/);
  t.regex(
    text,
    /next:\n {2}sheaf status shop\n {2}sheaf logs shop web\.1\n {2}sheaf exec shop web\.1 -- cat \/etc\/hosts\n {2}sheaf down/,
  );
});

test('down says how much went and which data stayed', (t) => {
  t.is(
    formatDeparture({ name: 'shop', removed: 1, keptVolumes: [] }, host),
    'shop is down: 1 object removed',
  );
  t.is(
    formatDeparture({ name: 'shop', removed: 9, keptVolumes: ['db.1/data'] }, host),
    `shop is down: 9 objects removed, data kept: db.1/data
Up under this name takes them over; sheaf down shop --delete-data shop deletes them.`,
  );
});

test('a plan shows builds, steps, placement, what stops and which data will be lost', (t) => {
  t.is(
    formatPlan(report, host.style),
    `plan of shop, generation 2
built first:
  php@1.0.0
steps:
  create  network  network
  remove  volume   db.1/data
placement:
  web.1  local
db.1 fits on no server
  not local:  needs 4 GiB memory, has 1 GiB
stops for a while: web.1
DATA WILL BE LOST: db.1/data
2 steps: 1 created, 1 removed`,
  );
  t.deepEqual(violations('plan', report), []);
});

test('a plan without steps says so', (t) => {
  const idle: PlanReport = {
    ...report,
    plan: { ...report.plan, steps: [], losesData: [] },
    placement: [],
    builds: [],
    restarts: [],
  };

  t.is(formatPlan(idle, host.style), 'plan of shop, generation 2\nnothing to do: shop is as described');
});

test('plan --why tells the score and every server that was not taken', (t) => {
  t.deepEqual(
    report.placement.map((entry) => formatPlacement(entry, host.style)),
    [
      'web.1 goes to local (score 0.50)\n  not small:  has 0 B memory free',
      'db.1 fits on no server\n  not local:  needs 4 GiB memory, has 1 GiB',
    ],
  );
});

test('a pool shows what it can do and what is free on its servers', (t) => {
  const shown = {
    pool: { name: 'local', driver: 'qemu', range: '10.83.0.0/16' },
    capabilities: {
      runs: 'vm',
      isolates: false,
      isolationReason: 'there is no tun device',
      isolationRemedy: 'As root: modprobe tun',
      confinement: { name: 'lent-users', reason: 'started by ann' },
      accelerator: { name: 'tcg', reason: 'no /dev/kvm' },
      snapshots: true,
      limits: { cpu: true, memory: false, reason: 'no memory groups' },
      overhead: { cpuMillicores: 50, memoryBytes: 2 ** 27, diskBytes: 0 },
    },
    servers: [
      {
        name: 'local',
        capacity: { cpuMillicores: 2000, memoryBytes: 4 * gibibyte, diskBytes: 10 * gibibyte },
        used: { cpuMillicores: 500, memoryBytes: gibibyte, diskBytes: 0 },
        labels: {},
        isOpen: true,
      },
    ],
  } as const;

  t.is(
    formatPool(shown, host.style),
    `pool local
  driver       qemu
  addresses    10.83.0.0/16
  runs         virtual machines
  accelerator  tcg: no /dev/kvm
  isolation    none: there is no tun device. As root: modprobe tun
  rights       started by ann
  limits       only cpu is held: no memory groups
  overhead     0.05 cores, 128 MiB memory, 0 B disk for each instance
servers:
  local  open  1.5 cores, 3 GiB memory, 10 GiB disk free of 2 cores, 4 GiB memory, 10 GiB disk`,
  );
  t.deepEqual(violations('pool-show', shown), []);
});

test('in a pipe an operation is told in lines, as JSON in events that fit their schema', async (t) => {
  const outputs = await Promise.all(
    (['pipe', 'json'] as const).map(async (form) => {
      const { host: target, stdout } = memoryHost(form);
      const reporter = await startReporter(target, 'up shop');
      reporter.report({ type: 'build', subject: 'php@1.0.0', state: 'progress', message: '12 of 90' });
      reporter.report({ type: 'build', subject: 'php@1.0.0', state: 'done', message: '' });
      reporter.end();
      return stdout();
    }),
  );

  t.is(outputs[0], 'build php@1.0.0: done\n');
  const events = (outputs[1] ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    events.map((event) => event.state),
    ['progress', 'done'],
  );
  t.deepEqual(
    events.flatMap((event) => violations('event', event)),
    [],
  );
});

test('an operation that is asked to end says that the same command resumes it', async (t) => {
  const controller = new AbortController();
  const { host: target, stderr } = memoryHost('pipe', controller.signal);
  const reporter = await startReporter(target, 'up shop');

  controller.abort();
  reporter.end();

  t.regex(stderr(), /^stopping cleanly; the same command resumes/);
});
