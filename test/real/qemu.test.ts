import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rmdir, stat } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../engine/command.ts';
import type { DeploymentIdentity } from '../../engine/drivers/driver.ts';
import { findMachines } from '../../engine/drivers/qemu/find-machines.ts';
import { layoutOf, runtimeFiles } from '../../engine/drivers/qemu/layout.ts';
import { guestMark } from '../../engine/drivers/qemu/marks.ts';
import { openQemuDriver } from '../../engine/drivers/qemu/open-driver.ts';
import type { EngineError } from '../../engine/errors.ts';
import type { GuestFile } from '../../engine/model/guest-file.ts';
import type { ObservedInstance } from '../../engine/model/observation.ts';
import type { Desired, EndpointState, InstanceState } from '../../engine/model/step.ts';
import {
  ensureStep,
  freePort,
  leftovers,
  newDeployment,
  openQemuWorld,
  type QemuWorld,
  removeStep,
  workOf,
} from './support/qemu-world.ts';
import { testAttendant, testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { busyboxService, filesOf, tinyInstance } from './support/tiny-instance.ts';

const network = { subnet: '10.83.5.0/24', gateway: '10.83.5.1' };
const { signal } = new AbortController();
const busybox = '/run/sheaf/bin/busybox';

test.serial(
  'a machine serves a page through its endpoint, takes commands and files, and leaves nothing',
  async (t) => {
    const scene = await openScene(t);
    const { world, deployment, state } = scene;
    await raise(scene, state);
    const started = Date.now();
    const healthy = await until(scene, (instance) => instance.healthy === true);
    t.log(`healthy after ${Date.now() - started} ms`);
    t.is(healthy.condition, 'running');

    const port = await freePort();
    await perform(scene, 'endpoint', 'web.web', endpointOf(state, port));
    t.is(await page(port), '<h1>here</h1>');

    const twice = await Promise.all([
      run(scene, ['sh', '-c', 'cat; exit 7'], 'input'),
      run(scene, ['hostname']),
    ]);
    t.deepEqual(twice, [
      { code: 7, stdout: 'input', stderr: '' },
      { code: 0, stdout: 'web-1\n', stderr: '' },
    ]);
    const much = await run(scene, ['dd', 'if=/dev/zero', 'bs=65536', 'count=32']);
    t.is(much.stdout.length, 2 ** 21);
    t.is((await run(scene, ['no-such-applet'])).code, 127);

    const machine = findMachines(deployment.id, 'web.1');
    const file = { path: '/srv/new.txt', content: 'new', mode: '0644' };
    await raise(scene, state, { generation: 2, files: [file], change: 'update' });
    t.deepEqual(findMachines(deployment.id, 'web.1'), machine, 'the machine was kept');
    t.is((await run(scene, ['cat', '/srv/new.txt'])).stdout, 'new');

    t.regex(await logOf(scene), /healthy/);
    const own = await world.driver.servers(signal);
    t.true((own[0]?.used.memoryBytes ?? 0) > state.memoryBytes);
    await lower(scene);
    t.deepEqual(await leftovers(world, deployment), []);
  },
);

test.serial('data outlive the machine, scratch does not', async (t) => {
  const scene = await openScene(t);
  const size = 64 * 2 ** 20;
  const volumes = (['data', 'scratch'] as const).map((kind) => ({
    name: kind,
    key: `web.1/${kind}`,
    kind,
    mount: `/${kind}`,
    sizeBytes: size,
  }));
  const state = { ...scene.state, volumes };
  for (const { key, kind } of volumes)
    await perform(scene, 'volume', key, { server: 'local', kind, sizeBytes: size });
  await raise(scene, state);
  await until(scene, (instance) => instance.condition === 'running');
  await run(scene, ['sh', '-c', 'echo kept > /data/a; echo lost > /scratch/a']);

  await scene.world.driver.perform(removeStep('instance', 'web.1'), workOf(scene.deployment));
  await scene.world.driver.perform(removeStep('volume', 'web.1/data'), workOf(scene.deployment));
  await perform(scene, 'volume', 'web.1/data', { server: 'local', kind: 'data', sizeBytes: size * 2 });
  await raise(scene, state);
  await until(scene, (instance) => instance.condition === 'running');

  t.is((await run(scene, ['cat', '/data/a'])).stdout, 'kept\n');
  t.not((await run(scene, ['cat', '/scratch/a'])).code, 0);
  const space = await run(scene, ['df', '-k', '/data']);
  t.true(Number(/(\d+) +\d+ +\d+ +\d+%/.exec(space.stdout)?.[1]) > 100_000, space.stdout);
  const shrunk = await t.throwsAsync<EngineError>(
    perform(scene, 'volume', 'web.1/data', { server: 'local', kind: 'data', sizeBytes: size }),
  );
  t.is(shrunk?.code, 'INPUT_REFUSED');
});

test.serial('a machine that was killed is seen as failed and comes back', async (t) => {
  const scene = await openScene(t);
  await raise(scene, scene.state);
  await until(scene, (instance) => instance.healthy === true);
  const [machine] = findMachines(scene.deployment.id, 'web.1');
  t.truthy(machine);

  process.kill(machine?.pid ?? 0, 'SIGKILL');
  const failed = await until(scene, (instance) => instance.condition === 'failed');
  t.regex(failed.message, /its machine was ended by a signal \(killed\)/);

  await raise(scene, scene.state, { change: 'replace', generation: 2 });
  t.is((await until(scene, (instance) => instance.healthy === true)).generation, 2);
});

test.serial(
  'QEMU goes on without any right: a user of its own, no capability, its system calls filtered',
  async (t) => {
    const scene = await openScene(t);
    await raise(scene, scene.state);
    const [machine] = findMachines(scene.deployment.id, 'web.1');

    const status = await readFile(`/proc/${machine?.pid}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';

    t.is(field('CapEff'), '0000000000000000');
    t.is(field('CapPrm'), '0000000000000000');
    t.is(field('NoNewPrivs'), '1');
    t.is(field('Seccomp'), '2');
    t.true(
      field('Uid')
        .split('\t')
        .every((id) => Number(id) >= 1_900_000_000),
      field('Uid'),
    );
    t.true(
      field('Groups')
        .trim()
        .split(' ')
        .every((id) => Number(id) >= 1_900_000_000),
      field('Groups'),
    );
    const files = runtimeFiles(layoutOf(scene.world.home, scene.world.runtime), scene.deployment.id, 'web.1');
    t.is(await readlink(`/proc/${machine?.pid}/root`), files.folder);
    for (const path of [files.seed, files.qmp, files.control, ...files.exec])
      t.is((await stat(path)).mode & 0o077, 0, path);
  },
);

test.serial("a command line that somebody else wrote is not taken for an instance's", async (t) => {
  const mark = `${guestMark('k3v9', 'web.1')},debug-threads=on`;
  const shell = ['sh', '-c', 'echo ready; read line', '-name', mark, '-uuid', 'x'];
  const own = spawn('setpriv', ['--pdeathsig', 'KILL', ...shell]);
  const foreign = spawn('setpriv', ['--reuid', '65534', '--pdeathsig', 'KILL', ...shell]);
  t.teardown(() => [own, foreign].map((child) => child.kill('SIGKILL')));
  await Promise.all([own, foreign].map((child) => once(child.stdout, 'data')));

  const found = findMachines('k3v9', 'web.1');

  t.deepEqual(
    found.map(({ pid }) => pid),
    [own.pid],
  );
});

test.serial('a full disk is told as such, and nothing half-made is kept', async (t) => {
  const { blobs, digest: kit } = await testKit();
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-full-'));
  await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', folder]);
  t.teardown(async () => {
    await runCommand('umount', [folder]);
    await rmdir(folder);
  });
  const [home, runtime] = [join(folder, 'home'), join(folder, 'run')];
  const parts = { blobs, kit: async () => kit, attendant: testAttendant(blobs) };
  const driver = await openQemuDriver({ pool: 'local', home, runtime, ...parts });
  const deployment = newDeployment('full');
  const state = { server: 'local', kind: 'data', sizeBytes: 2 ** 31 } as const;
  const make = (key: string) =>
    driver.perform(ensureStep({ kind: 'volume', key, state }), workOf(deployment));

  const error = await t.throwsAsync<EngineError>(async () => {
    for (let number = 1; number < 20; number += 1) await make(`db.${number}/data`);
  });

  t.is(error?.code, 'DISK_FULL');
  const left = (await readdir(home, { recursive: true })).filter((path) => /drafts\/.*\/|\.new$/.test(path));
  t.deepEqual(left, []);
});

test.serial('a machine that switches itself off is seen as stopped', async (t) => {
  const scene = await openScene(t);
  await raise(scene, { ...scene.state, services: [busyboxService('off', 'poweroff', '-f')] });

  const stopped = await until(scene, ({ condition }) => condition === 'stopped' || condition === 'failed');

  t.is(stopped.condition, 'stopped', stopped.message);
});

test.serial('a machine that ends at once is told with what QEMU said', async (t) => {
  const scene = await openScene(t);
  await perform(scene, 'volume', 'web.1/data', { server: 'local', kind: 'data', sizeBytes: 2 ** 24 });
  const missing = {
    name: 'data',
    key: 'web.1/gone',
    kind: 'data',
    mount: '/data',
    sizeBytes: 2 ** 24,
  } as const;

  const error = await t.throwsAsync<EngineError>(raise(scene, { ...scene.state, volumes: [missing] }));

  t.is(error?.code, 'INSTANCE_FAILED');
  t.regex(error?.message ?? '', /web\.1: its virtual machine ended at once: .*Could not open/);
});

test.serial('an address in use is refused, and the endpoint can take another one', async (t) => {
  const scene = await openScene(t);
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  const error = await t.throwsAsync<EngineError>(
    perform(scene, 'endpoint', 'web.web', endpointOf(scene.state, port)),
  );
  t.is(error?.code, 'ADDRESS_TAKEN');
  t.regex(error?.hint ?? '', /--expose web\.web=127\.0\.0\.1:PORT/);

  await perform(scene, 'endpoint', 'web.web', endpointOf(scene.state, await freePort()));
  const { objects } = await scene.world.driver.observe(scene.deployment, signal);
  t.true(objects.some((one) => one.kind === 'endpoint' && one.works));
});

test.serial('this machine can say whether it can isolate, and how it runs guests', async (t) => {
  const { world } = await openScene(t);

  const capabilities = await world.driver.capabilities(signal);

  t.true(capabilities.isolates, capabilities.isolationReason);
  t.regex(capabilities.accelerator.name, /^(kvm|tcg)$/);
  t.log(capabilities.accelerator.reason);
});

type Scene = {
  readonly world: QemuWorld;
  readonly deployment: DeploymentIdentity;
  readonly state: InstanceState;
};

async function openScene(t: ExecutionContext): Promise<Scene> {
  const { blobs, digest: kit } = await testKit();
  const world = await openQemuWorld(t, { blobs, kit });
  const deployment = newDeployment('machines');
  const layer = await storeTinyLayer(blobs, '<h1>here</h1>');
  const state = tinyInstance({ kit, layers: [layer] }, 'web.1', '10.83.5.2');
  const scene = { world, deployment, state };
  t.teardown(() => lower(scene));
  await perform(scene, 'network', 'network', network);
  const members = [{ instance: 'web.1', address: state.address, mac: state.mac }];
  await perform(scene, 'policy', 'wires', { members, rules: [] });
  await perform(scene, 'image', state.image, { appliance: 'tiny', kit, layers: [layer] });
  return scene;
}

async function lower({ world, deployment }: Scene): Promise<void> {
  for (const kind of ['endpoint', 'instance', 'volume', 'image', 'policy', 'network'] as const) {
    const { objects } = await world.driver.observe(deployment, signal);
    for (const { key } of objects.filter((one) => one.kind === kind))
      await world.driver.perform(removeStep(kind, key, true), workOf(deployment));
  }
}

async function perform(
  { world, deployment }: Scene,
  ...[kind, key, state]: { [D in Desired as D['kind']]: [D['kind'], string, D['state']] }[Desired['kind']]
): Promise<void> {
  // kind and state come from one alternative of the parameter's type
  await world.driver.perform(ensureStep({ kind, key, state } as Desired), workOf(deployment));
}

async function raise(
  { world, deployment }: Scene,
  state: InstanceState,
  options: {
    readonly generation?: number;
    readonly files?: readonly GuestFile[];
    readonly change?: 'create' | 'update' | 'replace';
  } = {},
): Promise<void> {
  const { generation = 1, files = [], change = 'create' } = options;
  await world.driver.perform(
    ensureStep({ kind: 'instance', key: 'web.1', state }, generation, change),
    workOf(deployment, filesOf(state, deployment.id, generation, files)),
  );
}

async function until(
  { world, deployment }: Scene,
  isReached: (instance: ObservedInstance) => boolean,
): Promise<ObservedInstance> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const { objects } = await world.driver.observe(deployment, signal);
    const instance = objects.find((one) => one.kind === 'instance');
    if (instance?.kind === 'instance' && (isReached(instance) || Date.now() > deadline)) return instance;
    await delay(100);
  }
}

async function run(
  { world, deployment }: Scene,
  command: readonly string[],
  input?: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([stdout, stderr].map(async (stream) => Buffer.concat(await stream.toArray())));
  const code = await world.driver.exec(deployment, {
    instance: 'web.1',
    command: [busybox, ...command],
    ...(input !== undefined && { stdin: Readable.from([input]) }),
    stdout,
    stderr,
    signal,
  });
  stdout.end();
  stderr.end();
  const [out, err] = await texts;
  return { code, stdout: String(out), stderr: String(err) };
}

async function logOf({ world, deployment }: Scene): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of world.driver.logs(deployment, 'web.1', { follow: false, signal }))
    parts.push(part);
  return Buffer.concat(parts).toString();
}

function endpointOf(state: InstanceState, port: number): EndpointState {
  return {
    appliance: 'web',
    terminal: 'web',
    protocol: 'http',
    transport: 'tcp',
    listen: { address: '127.0.0.1', port },
    targets: [{ name: 'web.1', address: state.address, port: 80 }],
  };
}

async function page(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    get(`http://127.0.0.1:${port}/`, (response) => {
      response.toArray().then((parts) => resolve(Buffer.concat(parts).toString()), reject);
    }).on('error', reject);
  });
}
