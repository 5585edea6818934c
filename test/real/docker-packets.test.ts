import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { objectName, sandboxName } from '../../engine/drivers/docker/labels.ts';
import { openDockerDriver } from '../../engine/drivers/docker/open-driver.ts';
import type { DeploymentIdentity, Driver } from '../../engine/drivers/driver.ts';
import type { Desired, PolicyRule } from '../../engine/model/step.ts';
import { startDockerEngine } from './support/docker-engine.ts';
import { ensureStep, freePort, newDeployment, removeStep, workOf } from './support/qemu-world.ts';
import { testAttendant, testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { busyboxService, filesOf, tinyInstance } from './support/tiny-instance.ts';

const { signal } = new AbortController();
const busybox = '/run/sheaf/bin/busybox';

/** A deployment whose instances serve a page on the ports 80 and 81. */
type Site = {
  readonly deployment: DeploymentIdentity;
  readonly addresses: ReadonlyMap<string, string>;
  readonly wanted: readonly Desired[];
};

test.serial(
  'no packet passes but along a wire, whatever is restarted: containers, sandboxes, the Engine itself',
  async (t) => {
    const engine = await startDockerEngine();
    t.teardown(engine.close);
    const { blobs, digest: kit } = await testKit();
    const address = { kind: 'unix', path: engine.socket } as const;
    const driver = openDockerDriver({
      pool: 'docker',
      home: '/a',
      address,
      blobs,
      attendant: testAttendant(blobs),
    });
    const layers = [await storeTinyLayer(blobs, '<h1>here</h1>')];
    const port = await freePort();
    const wire = (from: string, to: string): PolicyRule => ({ from, to, transport: 'tcp', port: 80 });
    const one = siteOf({ kit, layers }, '10.84.8', ['a.1', 'b.1', 'c.1'], [wire('a.1', 'b.1')], port);
    const two = siteOf({ kit, layers }, '10.84.9', ['a.1', 'b.1'], [wire('a.1', 'b.1')]);
    const expected = ['10.84.8.2 -> 10.84.8.3:80', '10.84.9.2 -> 10.84.9.3:80'];
    await Promise.all([one, two].map((site) => bring(driver, site)));

    await settles(t, driver, [one, two], expected, 'all is new');
    t.deepEqual(await elsewhere(driver, one), [], 'the server, other networks and the resolver');
    t.regex(
      await engine.onServer('busybox', ['wget', '-q', '-O', '-', `http://127.0.0.1:${port}/`]),
      /here/,
      'the door leads to b.1',
    );
    t.is(
      await run(driver, one, 'a.1', `${busybox} ip addr add 10.84.8.9/24 dev eth0 2>&1 && echo forged`),
      deniedText,
    );
    t.is(
      await run(
        driver,
        one,
        'a.1',
        `${busybox} arping -c 1 -I eth0 10.84.8.3 >/dev/null 2>&1 && echo forged`,
      ),
      '',
    );

    for (const site of [one, two])
      for (const instance of site.addresses.keys())
        await engine.restart(objectName(site.deployment.id, instance));
    await untilRunning(driver, [one, two]);
    await settles(t, driver, [one, two], expected, 'appliances were restarted');

    for (const instance of one.addresses.keys())
      await engine.restart(sandboxName(one.deployment.id, instance));
    t.deepEqual(await matrix(driver, [one]), [], 'an appliance without its sandbox has no network');
    const seen = await driver.observe(one.deployment, signal);
    t.true(seen.objects.every((found) => found.kind !== 'instance' || found.condition === 'failed'));
    for (const instance of one.addresses.keys())
      await engine.restart(objectName(one.deployment.id, instance));
    await untilRunning(driver, [one]);
    await settles(t, driver, [one, two], expected, 'sandboxes were restarted, then appliances');

    await engine.crash();
    t.deepEqual(await matrix(driver, [one, two]), [], 'nothing runs that nobody started');
    await Promise.all([one, two].map((site) => bring(driver, site, 2)));
    await settles(t, driver, [one, two], expected, 'the Engine was killed');

    for (const site of [one, two]) await remove(driver, site);
    t.deepEqual(await engine.api.containers([]), []);
    t.deepEqual(await engine.api.networks(['org.sheaf.deployment']), []);
    t.deepEqual(await engine.api.volumes(['org.sheaf.deployment']), []);
  },
);

test.serial('a subnet that somebody else has is told, and another home is not touched', async (t) => {
  const engine = await startDockerEngine();
  t.teardown(engine.close);
  const { blobs, digest: kit } = await testKit();
  const address = { kind: 'unix', path: engine.socket } as const;
  const open = (home: string) =>
    openDockerDriver({ pool: 'docker', home, address, blobs, attendant: testAttendant(blobs) });
  const [mine, other] = [open('/mine'), open('/other')];
  const parts = { kit, layers: [] };
  const [first, second] = [siteOf(parts, '10.84.8', [], []), siteOf(parts, '10.84.8', [], [])];
  const network = (site: Site) => ensureStep(site.wanted[0] as Desired);
  await mine.perform(network(first), workOf(first.deployment));

  await t.throwsAsync(other.perform(network(second), workOf(second.deployment)), { code: 'ADDRESS_TAKEN' });

  t.deepEqual(
    (await other.find(signal)).map(({ id }) => id),
    [second.deployment.id],
  );
  t.deepEqual(
    (await mine.find(signal)).map(({ id }) => id),
    [first.deployment.id],
  );
  for (const [driver, site] of [
    [mine, first],
    [other, second],
  ] as const)
    await driver.perform(removeStep('network', 'network'), workOf(site.deployment));
  t.deepEqual(await engine.api.containers([]), []);
});

const deniedText = 'ip: RTNETLINK answers: Operation not permitted\n';

/** Waits until all that shall pass does, for a service needs a moment until it listens; what shall not pass never may. */
async function settles(
  t: ExecutionContext,
  driver: Driver,
  sites: readonly Site[],
  expected: readonly string[],
  when: string,
): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const passed = await matrix(driver, sites);
    t.deepEqual(
      passed.filter((pair) => !expected.includes(pair)),
      [],
      when,
    );
    if (passed.length === expected.length) return;
    if (Date.now() > deadline) {
      t.deepEqual(passed, expected, when);
      return;
    }
  }
}

async function matrix(driver: Driver, sites: readonly Site[]): Promise<readonly string[]> {
  const all = sites.flatMap(({ addresses }) => [...addresses.values()]);
  const passed = await Promise.all(
    sites.flatMap((site) =>
      [...site.addresses].map(async ([name, own]) => {
        const targets = all
          .filter((address) => address !== own)
          .flatMap((address) => [`${address}:80`, `${address}:81`]);
        return (await reached(driver, site, name, targets)).map((target) => `${own} -> ${target}`);
      }),
    ),
  );
  return passed.flat().sort();
}

/** Tries what is no instance: bridges of both networks, doors, the resolver of the Engine, its default bridge. */
async function elsewhere(driver: Driver, site: Site): Promise<readonly string[]> {
  const hosts = [
    '10.84.8.126',
    '10.84.8.1',
    '10.84.8.125',
    '10.84.8.129',
    '10.84.8.130',
    '172.17.0.1',
    '127.0.0.11',
  ];
  const script = `for h in ${hosts.join(' ')}; do ${busybox} nslookup x.invalid $h >/dev/null 2>&1; ${busybox} ping -c 1 -W 1 $h >/dev/null 2>&1 && echo $h; done`;
  const pinged = await run(driver, site, 'a.1', script);
  const open = await reached(
    driver,
    site,
    'a.1',
    hosts.flatMap((host) => [`${host}:53`, `${host}:80`]),
  );
  return [...pinged.split('\n').filter(Boolean), ...open];
}

async function reached(
  driver: Driver,
  site: Site,
  instance: string,
  targets: readonly string[],
): Promise<readonly string[]> {
  const script = `for t in ${targets.join(' ')}; do (echo hello | ${busybox} nc -w 4 $(echo $t | ${busybox} tr : " ") 2>/dev/null | ${busybox} grep -q HTTP && echo $t) & done; wait`;
  return (await run(driver, site, instance, script)).split('\n').filter(Boolean);
}

/** Runs a script in an instance; in one that does not run it says nothing. */
async function run(driver: Driver, { deployment }: Site, instance: string, script: string): Promise<string> {
  const stdout = new PassThrough();
  const stderr = new PassThrough().resume();
  const text = stdout.toArray();
  const command = [busybox, 'sh', '-c', script];
  await driver
    .exec(deployment, { instance, command, stdout, stderr, signal, timeoutMs: 60_000 })
    .catch(() => undefined);
  stdout.end();
  return Buffer.concat(await text).toString();
}

function siteOf(
  parts: Parameters<typeof tinyInstance>[0],
  subnet: string,
  names: readonly string[],
  rules: readonly PolicyRule[],
  port?: number,
): Site {
  const services = [80, 81].map((number) =>
    busyboxService(`web${number}`, 'httpd', '-f', '-p', String(number), '-h', '/srv'),
  );
  const instances = names.map((name, index) => {
    const { health: _, ...state } = tinyInstance(parts, name, `${subnet}.${index + 2}`, {
      services,
      cpuMillicores: 500,
    });
    return { name, state };
  });
  const members = instances.map(({ name, state }) => ({
    instance: name,
    address: state.address,
    mac: state.mac,
  }));
  const door = {
    ...{ appliance: 'b', terminal: 'web', protocol: 'http', transport: 'tcp' as const },
    listen: { address: '127.0.0.1', port: port ?? 0 },
    targets: [{ name: 'b.1', address: `${subnet}.3`, port: 80 }],
  };
  return {
    deployment: newDeployment('packets'),
    addresses: new Map(members.map(({ instance, address }) => [instance, address])),
    wanted: [
      { kind: 'network', key: 'network', state: { subnet: `${subnet}.0/24`, gateway: `${subnet}.1` } },
      { kind: 'policy', key: 'wires', state: { members, rules } },
      { kind: 'image', key: 'tiny@1.0.0', state: { appliance: 'tiny', ...parts } },
      ...instances.map(({ name, state }): Desired => ({ kind: 'instance', key: name, state })),
      ...(port === undefined ? [] : [{ kind: 'endpoint', key: 'b.web', state: door } as const]),
    ],
  };
}

async function bring(driver: Driver, site: Site, generation = 1): Promise<void> {
  for (const desired of site.wanted) {
    const files = desired.kind === 'instance' ? filesOf(desired.state, site.deployment.id) : [];
    await driver.perform(ensureStep(desired, generation), workOf(site.deployment, files));
  }
  await untilRunning(driver, [site]);
}

async function remove(driver: Driver, site: Site): Promise<void> {
  for (const { kind, key } of site.wanted.toReversed())
    await driver.perform(removeStep(kind, key), workOf(site.deployment));
}

async function untilRunning(driver: Driver, sites: readonly Site[]): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (const { deployment, addresses } of sites)
    for (;;) {
      const { objects } = await driver.observe(deployment, signal);
      const running = objects.filter((one) => one.kind === 'instance' && one.condition === 'running');
      if (running.length === addresses.size || Date.now() > deadline) break;
      await delay(200);
    }
}
