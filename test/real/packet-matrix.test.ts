import { get } from 'node:http';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { DeploymentIdentity } from '../../engine/drivers/driver.ts';
import type { Desired, PolicyRule } from '../../engine/model/step.ts';
import {
  ensureStep,
  freePort,
  newDeployment,
  openQemuWorld,
  type QemuWorld,
  removeStep,
  workOf,
} from './support/qemu-world.ts';
import { testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { busyboxService, filesOf, tinyInstance } from './support/tiny-instance.ts';

const { signal } = new AbortController();

/** A deployment whose guests serve a page on the ports 80 and 81. */
type Site = {
  readonly deployment: DeploymentIdentity;
  readonly subnet: string;
  readonly addresses: ReadonlyMap<string, string>;
};

test.serial(
  'no packet passes but along a wire: between guests, between deployments, to the host, forged or broadcast',
  async (t) => {
    const world = await openQemuWorld(t, await kitOfTests());
    const [one, two] = [
      await openSite(
        t,
        world,
        '10.83.8',
        ['a.1', 'b.1', 'c.1'],
        [
          { from: 'a.1', to: 'b.1', transport: 'tcp', port: 80 },
          { from: 'a.1', to: 'b.1', transport: 'udp', port: 53 },
        ],
      ),
      await openSite(
        t,
        world,
        '10.83.9',
        ['a.1', 'b.1'],
        [{ from: 'a.1', to: 'b.1', transport: 'tcp', port: 80 }],
      ),
    ];
    await untilRunning(world, [one, two]);
    await matrix(t, world, [one, two]);
    await towardsTheHost(t, world, one);
    await datagrams(t, world, one);
    await endpointWithTheClientsAddress(t, world, one);
    await wayOutForOne(t, world, one, two);
    await forgeries(t, world, one);
    t.deepEqual(await passes(world, one, 'a.1', ['10.83.8.3:80']), ['10.83.8.3:80'], 'the wire still works');
  },
);

async function matrix(t: ExecutionContext, world: QemuWorld, sites: readonly Site[]): Promise<void> {
  const all = sites.flatMap(({ addresses }) => [...addresses.values()]);
  const passed: string[] = [];
  for (const site of sites)
    for (const [name, own] of site.addresses) {
      const targets = all
        .filter((address) => address !== own)
        .flatMap((address) => [`${address}:80`, `${address}:81`]);
      for (const target of await passes(world, site, name, targets)) passed.push(`${own} -> ${target}`);
    }
  t.deepEqual(passed, ['10.83.8.2 -> 10.83.8.3:80', '10.83.9.2 -> 10.83.9.3:80']);
}

async function towardsTheHost(t: ExecutionContext, world: QemuWorld, site: Site): Promise<void> {
  let calls = 0;
  const server = createServer(() => {
    calls += 1;
  });
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const listening = server.address();
  const port = typeof listening === 'object' && listening !== null ? listening.port : 0;
  const addresses = [`${site.subnet}.1`, '127.0.0.1', '192.0.2.1', ...hostAddresses()];

  const passed = await passes(
    world,
    site,
    'a.1',
    addresses.map((address) => `${address}:${port}`),
  );
  const answered = await run(
    world,
    site,
    'a.1',
    'for h in $HOSTS; do ping -c 1 -W 1 $h >/dev/null && echo $h; done',
    {
      HOSTS: addresses.filter((address) => address !== '127.0.0.1').join(' '),
    },
  );

  t.deepEqual(passed, []);
  t.is(answered, '');
  t.is(calls, 0);
}

async function datagrams(t: ExecutionContext, world: QemuWorld, site: Site): Promise<void> {
  const arrived = async (act: string): Promise<number> => {
    const before = await datagramsAt(world, site, 'b.1');
    await run(world, site, act.startsWith('c:') ? 'c.1' : 'a.1', act.replace(/^c:/, ''));
    return (await datagramsAt(world, site, 'b.1')) - before;
  };

  t.true((await arrived('timeout 3 nslookup x.invalid 10.83.8.3; true')) > 0, 'the declared port');
  t.is(await arrived('c:timeout 3 nslookup x.invalid 10.83.8.3; true'), 0, 'not from another guest');
  t.is(await arrived('traceroute -n -w 1 -q 1 -m 2 10.83.8.3; true'), 0, 'not to other ports');
}

async function endpointWithTheClientsAddress(
  t: ExecutionContext,
  world: QemuWorld,
  site: Site,
): Promise<void> {
  const [client] = hostAddresses();
  if (client === undefined) return;
  const port = await freePort();
  const listen = { address: '0.0.0.0', port };
  const targets = [{ name: 'b.1', address: '10.83.8.3', port: 80 }];
  const state = {
    appliance: 'b',
    terminal: 'web',
    protocol: 'http',
    transport: 'tcp',
    listen,
    targets,
  } as const;
  await world.driver.perform(ensureStep({ kind: 'endpoint', key: 'b.web', state }), workOf(site.deployment));

  const statuses = await Promise.all([client, '127.0.0.1'].map((address) => statusOf(address, port)));

  t.deepEqual(statuses, [200, 200]);
  t.true(await logHas(world, site, 'b.1', `${client}]`), 'the guest sees the client');
  t.true(await logHas(world, site, 'b.1', '10.83.8.1]'), 'and the gateway for a client of this machine');
}

async function wayOutForOne(t: ExecutionContext, world: QemuWorld, one: Site, two: Site): Promise<void> {
  const listen = { address: '10.83.8.1', port: 4430 };
  const state = {
    appliance: 'c',
    terminal: 'world',
    protocol: 'tcp',
    transport: 'tcp',
    listen,
    sources: [{ name: 'c.1', address: '10.83.8.4' }],
    clients: [],
  } as const;
  await world.driver.perform(ensureStep({ kind: 'endpoint', key: 'c.world', state }), workOf(one.deployment));
  const reached: string[] = [];
  for (const [site, instance] of [
    [one, 'a.1'],
    [one, 'b.1'],
    [one, 'c.1'],
    [two, 'a.1'],
  ] as const)
    for (const port of [4430, 4431]) {
      const script = `nc -w 5 10.83.8.1 ${port} </dev/null >/dev/null 2>&1 && echo reached`;
      if ((await run(world, site, instance, script)) !== '')
        reached.push(`${site.subnet} ${instance} ${port}`);
    }

  t.deepEqual(reached, ['10.83.8 c.1 4430']);
  t.deepEqual(await passes(world, one, 'c.1', ['10.83.8.2:80', '10.83.8.3:80']), []);
}

async function forgeries(t: ExecutionContext, world: QemuWorld, site: Site): Promise<void> {
  const before = await receivedAt(world, site, 'b.1');
  t.regex(before, /^\d+\nIp6InReceives\s+\d+\nlladdr \S+\n$/);
  const attempts = [
    'arping -q -c 2 -w 2 -U -I eth0 -s 10.83.8.2 10.83.8.2; arping -q -c 2 -w 2 -I eth0 -s 10.83.8.2 10.83.8.3',
    'ping -c 1 -W 1 10.83.8.255; ping -c 1 -W 1 255.255.255.255; ping -c 1 -W 1 224.0.0.1',
    'echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; sleep 3; ping6 -c 2 -W 1 -I eth0 ff02::1',
    // the address of one that may
    'ip addr flush dev eth0; ip addr add 10.83.8.2/24 dev eth0; ip route add default via 10.83.8.1; echo hello | nc -w 2 10.83.8.3 80; ping -c 1 -W 1 10.83.8.3',
    // and its MAC too
    'ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:02; ip link set eth0 up; ip route add default via 10.83.8.1; echo hello | nc -w 2 10.83.8.3 80; ping -c 1 -W 1 10.83.8.3',
    // its own address behind another's MAC
    'ip addr flush dev eth0; ip addr add 10.83.8.4/24 dev eth0; ip route add default via 10.83.8.1; ping -c 1 -W 1 10.83.8.3',
  ];

  for (const attempt of attempts) {
    await run(world, site, 'c.1', `{ ${attempt}; } >/dev/null 2>&1; true`);
    t.is(await receivedAt(world, site, 'b.1'), before, attempt);
  }
}

async function passes(
  world: QemuWorld,
  site: Site,
  instance: string,
  targets: readonly string[],
): Promise<readonly string[]> {
  const script =
    'for t in $TARGETS; do (echo hello | nc -w 8 $(echo $t | tr : " ") 2>/dev/null | grep -q HTTP && echo $t) & done; wait';
  const output = await run(world, site, instance, script, { TARGETS: targets.join(' ') });
  return output.split('\n').filter(Boolean).sort();
}

/**
 * Tells what a guest has received: IPv4 and IPv6 packets, and whom it takes for its neighbours.
 *
 * Answers to its own ARP questions come whenever its kernel asks, so packets on the device would count too much.
 */
async function receivedAt(world: QemuWorld, site: Site, instance: string): Promise<string> {
  const script =
    'grep ^Ip: /proc/net/snmp | tail -n 1 | cut -d " " -f 4; grep Ip6InReceives /proc/net/snmp6; ' +
    'ip neigh show dev eth0 | grep -o "lladdr [0-9a-f:]*" | sort -u';
  return await run(world, site, instance, script);
}

/** Counts the datagrams that reached a guest, whether or not somebody takes them. */
async function datagramsAt(world: QemuWorld, site: Site, instance: string): Promise<number> {
  const [, values = ''] = (await run(world, site, instance, 'grep ^Udp: /proc/net/snmp')).split('\n');
  const [, received, unclaimed] = values.split(' ');
  return Number(received) + Number(unclaimed);
}

async function run(
  { driver }: QemuWorld,
  { deployment }: Site,
  instance: string,
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough().resume()];
  const text = stdout.toArray();
  const command = ['/run/sheaf/bin/busybox', 'sh', '-c', script];
  await driver.exec(deployment, { instance, command, environment, stdout, stderr, signal });
  stdout.end();
  return Buffer.concat(await text).toString();
}

/** Tells whether a text comes up in a guest's log, for a log is some moments behind. */
async function logHas(
  { driver }: QemuWorld,
  { deployment }: Site,
  instance: string,
  text: string,
): Promise<boolean> {
  const stop = AbortSignal.timeout(20_000);
  let log = '';
  for await (const part of driver.logs(deployment, instance, { follow: true, signal: stop })) {
    log += Buffer.from(part).toString();
    if (log.includes(text)) return true;
  }
  return false;
}

async function openSite(
  t: ExecutionContext,
  world: QemuWorld,
  subnet: string,
  names: readonly string[],
  rules: readonly PolicyRule[],
): Promise<Site> {
  const deployment = newDeployment('matrix');
  const { digest: kit } = await testKit();
  const layers = [await storeTinyLayer(world.blobs, '<h1>here</h1>')];
  const services = [80, 81].map((port) =>
    busyboxService(`web${port}`, 'httpd', '-f', '-vv', '-p', String(port), '-h', '/srv'),
  );
  const instances = names.map((name, index) => {
    const { health: _, ...state } = tinyInstance({ kit, layers }, name, `${subnet}.${index + 2}`, {
      services,
    });
    return { name, state };
  });
  const members = instances.map(({ name, state }) => ({
    instance: name,
    address: state.address,
    mac: state.mac,
  }));
  const wanted: readonly Desired[] = [
    { kind: 'network', key: 'network', state: { subnet: `${subnet}.0/24`, gateway: `${subnet}.1` } },
    { kind: 'policy', key: 'wires', state: { members, rules } },
    { kind: 'image', key: 'tiny@1.0.0', state: { appliance: 'tiny', kit, layers } },
    ...instances.map(({ name, state }): Desired => ({ kind: 'instance', key: name, state })),
  ];
  t.teardown(async () => {
    const { objects } = await world.driver.observe(deployment, signal);
    for (const kind of ['endpoint', 'instance', 'image', 'policy', 'network'] as const)
      for (const { key } of objects.filter((one) => one.kind === kind))
        await world.driver.perform(removeStep(kind, key), workOf(deployment));
  });
  for (const desired of wanted) {
    const files = desired.kind === 'instance' ? filesOf(desired.state, deployment.id) : [];
    await world.driver.perform(ensureStep(desired), workOf(deployment, files));
  }
  return {
    deployment,
    subnet,
    addresses: new Map(members.map(({ instance, address }) => [instance, address])),
  };
}

async function untilRunning({ driver }: QemuWorld, sites: readonly Site[]): Promise<void> {
  const deadline = Date.now() + 180_000;
  for (const { deployment, addresses } of sites)
    for (;;) {
      const { objects } = await driver.observe(deployment, signal);
      const running = objects.filter((one) => one.kind === 'instance' && one.condition === 'running');
      if (running.length === addresses.size || Date.now() > deadline) break;
      await delay(500);
    }
}

async function kitOfTests() {
  const { blobs, digest } = await testKit();
  return { blobs, kit: digest };
}

function hostAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

async function statusOf(address: string, port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    get(`http://${address}:${port}/`, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}
