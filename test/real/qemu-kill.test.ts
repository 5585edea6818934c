import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { freePort, leftovers, newDeployment, openQemuWorld } from './support/qemu-world.ts';
import type { SiteOrder } from './support/site-child.ts';
import { performAll, smallSite } from './support/site-steps.ts';
import { testKit } from './support/test-home.ts';

const program = fileURLToPath(new URL('support/site-child.ts', import.meta.url));
const { signal } = new AbortController();
const rounds = 12;

test.serial(
  'a driver that is killed at any instant and asked again ends with the right things, and with nothing else',
  async (t) => {
    const { blobs, digest: kit } = await testKit();
    const world = await openQemuWorld(t, { blobs, kit });
    await world.driver.capabilities(signal); // the trial of KVM is not what is killed here
    const deployment = newDeployment('kill');
    const port = await freePort();
    const site = await smallSite(blobs, kit, '10.83.6', port);
    t.teardown(() => performAll(world.driver, deployment, site, 'down'));
    const order = { home: world.home, runtime: world.runtime, deployment, subnet: '10.83.6', port };

    for (let round = 0; round < rounds; round += 1) {
      const isLate = round % 2 === 1;
      await killAfter(Math.random() * (isLate ? 2500 : 800), { ...order, direction: 'up' });
      await performAll(world.driver, deployment, site, 'up');

      const { objects } = await world.driver.observe(deployment, signal);
      t.deepEqual(
        objects.map(({ kind, fingerprint }) => [kind, fingerprint !== null]),
        (['network', 'policy', 'image', 'volume', 'instance', 'endpoint'] as const).map((kind) => [
          kind,
          true,
        ]),
      );
      t.true(objects.every((one) => one.kind === 'instance' || one.works));
      t.deepEqual(processesOf(deployment.id), ['endpoint', 'machine', 'qemu'], `round ${round}`);
      if (round === rounds - 1) t.is(await pageWithin(port, 120_000), '<h1>here</h1>');

      await killAfter(Math.random() * 500, { ...order, direction: 'down' });
      await performAll(world.driver, deployment, site, 'down');
      t.deepEqual(await leftovers(world, deployment), [], `round ${round}`);
    }
  },
);

async function killAfter(timeMs: number, order: SiteOrder): Promise<void> {
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended]);
  await Promise.race([delay(timeMs), ended]);
  child.kill('SIGKILL');
  await ended;
}

function processesOf(deployment: string): readonly string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      const args = commandLine(pid);
      if (!args.some((arg) => arg.includes(deployment)) || args.some((arg) => arg.includes('site-child')))
        return [];
      return args[0]?.includes('attendant') ? (args[1] ?? '') : (args[0] ?? '').replace(/-system-.*/, '');
    })
    .sort();
}

function commandLine(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it ended meanwhile
  }
}

async function pageWithin(port: number, timeoutMs: number): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const page = await pageOf(port).catch(() => '');
    if (page !== '' || Date.now() > deadline) return page;
    await delay(200);
  }
}

async function pageOf(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const request = get(`http://127.0.0.1:${port}/`, { timeout: 3000 }, (response) => {
      response.toArray().then((parts) => resolve(Buffer.concat(parts).toString()), reject);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', reject);
  });
}
