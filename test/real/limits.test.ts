import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { DeploymentIdentity } from '../../engine/drivers/driver.ts';
import { findMachines } from '../../engine/drivers/qemu/find-machines.ts';
import { groupPlaces } from '../../engine/drivers/qemu/group-places.ts';
import type { Desired, InstanceState } from '../../engine/model/step.ts';
import {
  ensureStep,
  newDeployment,
  openQemuWorld,
  type QemuWorld,
  removeStep,
  workOf,
} from './support/qemu-world.ts';
import { testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { filesOf, tinyInstance } from './support/tiny-instance.ts';

const { signal } = new AbortController();
const mebibyte = 2 ** 20;
const memoryBytes = 64 * mebibyte;

test.serial('an instance gets the processor time and the memory that it asks for, and no more', async (t) => {
  const { world, deployment, state } = await openScene(t);
  if (!(await world.driver.capabilities(signal)).limits.cpu)
    return t.log('no control groups here, so nothing is limited');
  await raise(world, deployment, { ...state, cpuMillicores: 300 });
  await untilHealthy(world, deployment);
  const busy = new AbortController();
  const command = ['/run/sheaf/bin/busybox', 'sh', '-c', 'while :; do :; done'];
  const streams = { stdout: new PassThrough().resume(), stderr: new PassThrough().resume() };
  const work = world.driver
    .exec(deployment, { instance: 'web.1', command, ...streams, signal: busy.signal })
    .catch(() => undefined);
  await untilHeld(t, deployment, '30000');

  const first = await load(deployment, 6000);
  const machine = findMachines(deployment.id, 'web.1');
  await raise(world, deployment, { ...state, cpuMillicores: 600 }, 'update', 2);
  await untilHeld(t, deployment, '60000');
  const second = await load(deployment, 4000);
  busy.abort();
  await work;

  t.log(`${first.toFixed(3)} of 0.3 cores, then ${second.toFixed(3)} of 0.6`);
  t.true(first < 0.33, String(first));
  t.true(second < 0.66, String(second));
  t.deepEqual(findMachines(deployment.id, 'web.1'), machine, 'the machine was kept');

  await memory(t, world, deployment);
  await flood(t, world, deployment);
  await world.driver.perform(removeStep('instance', 'web.1'), workOf(deployment));
  for (const { top } of await groupPlaces())
    await t.throwsAsync(access(join(top, 'sheaf', deployment.id)), { code: 'ENOENT' });
});

/** Checks what services find, and that the whole of it stays within what placement counts. */
async function memory(t: ExecutionContext, world: QemuWorld, deployment: DeploymentIdentity): Promise<void> {
  const fill =
    'dd if=/dev/zero of=/dev/shm/x bs=1048576 count=60 2>/dev/null; rm /dev/shm/x; cat /proc/meminfo';
  const output = new PassThrough();
  const text = output.toArray();
  await world.driver.exec(deployment, {
    instance: 'web.1',
    command: ['/run/sheaf/bin/busybox', 'sh', '-c', `mkdir -p /dev/shm; ${fill}`],
    stdout: output,
    stderr: new PassThrough().resume(),
    signal,
  });
  output.end();
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(Buffer.concat(await text).toString())?.[1]) * 1024;
  const [machine] = findMachines(deployment.id, 'web.1');
  const status = await readFile(`/proc/${machine?.pid}/status`, 'utf8');
  const resident = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) * 1024;

  const inMebibytes = (bytes: number): string => `${Math.round(bytes / mebibyte)} MiB`;
  t.log(
    `services find ${inMebibytes(available)} of ${inMebibytes(memoryBytes)}; QEMU took ${inMebibytes(resident)}`,
  );
  t.true(available > memoryBytes * 0.9, 'what an appliance asks for is there for its services');
  const { overhead } = await world.driver.capabilities(signal);
  t.true(resident < memoryBytes + overhead.memoryBytes, 'placement counts enough');
}

/** Lets a guest fill its console and a command's output at once; what is asked of it meanwhile is answered in time. */
async function flood(t: ExecutionContext, world: QemuWorld, deployment: DeploymentIdentity): Promise<void> {
  const stop = new AbortController();
  const streams = { stdout: new PassThrough().resume(), stderr: new PassThrough().resume() };
  const floods = ['yes "$(printf \'\\033[2J\')" > /dev/console', 'cat /dev/zero'].map((script) =>
    world.driver
      .exec(deployment, {
        instance: 'web.1',
        command: ['/run/sheaf/bin/busybox', 'sh', '-c', script],
        ...streams,
        signal: stop.signal,
      })
      .catch(() => undefined),
  );
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const began = performance.now();
    const { objects } = await world.driver.observe(deployment, signal);
    times.push(performance.now() - began);
    t.true(objects.some((one) => one.kind === 'instance' && one.condition !== 'failed'));
  }
  stop.abort();
  await Promise.all(floods);

  t.log(`asked during a flood: ${times.map((ms) => `${Math.round(ms)} ms`).join(', ')}`);
  t.true(Math.max(...times) < 4000, 'two seconds for the guest, the rest for a busy host');
  await untilHealthy(world, deployment);
}

async function openScene(t: ExecutionContext) {
  const { blobs, digest: kit } = await testKit();
  const world = await openQemuWorld(t, { blobs, kit });
  const deployment = newDeployment('limits');
  const layers = [await storeTinyLayer(blobs, '<h1>here</h1>')];
  const state = tinyInstance({ kit, layers }, 'web.1', '10.83.7.2', { memoryBytes });
  const members = [{ instance: 'web.1', address: state.address, mac: state.mac }];
  t.teardown(async () => {
    const { objects } = await world.driver.observe(deployment, signal);
    for (const kind of ['instance', 'image', 'policy', 'network'] as const)
      for (const { key } of objects.filter((one) => one.kind === kind))
        await world.driver.perform(removeStep(kind, key), workOf(deployment));
  });
  const wanted: readonly Desired[] = [
    { kind: 'network', key: 'network', state: { subnet: '10.83.7.0/24', gateway: '10.83.7.1' } },
    { kind: 'policy', key: 'wires', state: { members, rules: [] } },
    { kind: 'image', key: 'tiny@1.0.0', state: { appliance: 'tiny', kit, layers } },
  ];
  for (const desired of wanted) await world.driver.perform(ensureStep(desired), workOf(deployment));
  return { world, deployment, state };
}

async function raise(
  { driver }: QemuWorld,
  deployment: DeploymentIdentity,
  state: InstanceState,
  change: 'create' | 'update' = 'create',
  generation = 1,
): Promise<void> {
  const files = filesOf(state, deployment.id, generation);
  const step = ensureStep({ kind: 'instance', key: 'web.1', state }, generation, change);
  await driver.perform(step, workOf(deployment, files));
}

async function untilHealthy({ driver }: QemuWorld, deployment: DeploymentIdentity): Promise<void> {
  await within(120_000, async () => {
    const { objects } = await driver.observe(deployment, signal);
    return objects.some((one) => one.kind === 'instance' && one.healthy === true);
  });
}

/** Waits until the boot is over and the machine is held to its share. */
async function untilHeld(
  t: ExecutionContext,
  deployment: DeploymentIdentity,
  quotaUs: string,
): Promise<void> {
  const place = (await groupPlaces()).find(({ resources }) => resources.includes('cpu'));
  const name = place?.isUnified ? 'cpu.max' : 'cpu.cfs_quota_us';
  const file = join(place?.top ?? '', 'sheaf', deployment.id, 'web.1', name);
  const isHeld = await within(60_000, async () => (await readFile(file, 'utf8')).startsWith(quotaUs));
  t.true(isHeld, `its quota becomes ${quotaUs}`);
}

/** Gives how many processors a machine uses, by the kernel's count of its time. */
async function load(deployment: DeploymentIdentity, forMs: number): Promise<number> {
  const [machine] = findMachines(deployment.id, 'web.1');
  const usedMs = async (): Promise<number> => {
    const stat = await readFile(`/proc/${machine?.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  const [from, began] = [await usedMs(), performance.now()];
  await delay(forMs); // the time over which the share is measured
  return ((await usedMs()) - from) / (performance.now() - began);
}

async function within(timeoutMs: number, isReached: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await isReached()) return true;
    if (Date.now() > deadline) return false;
    await delay(100);
  }
}
