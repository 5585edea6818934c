import { get } from 'node:http';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { Desired } from '../../engine/model/step.ts';
import {
  ensureStep,
  freePort,
  leftovers,
  newDeployment,
  openQemuWorld,
  removeStep,
  workOf,
} from './support/qemu-world.ts';
import { testKit } from './support/test-home.ts';
import { storeTinyLayer } from './support/tiny-image.ts';
import { filesOf, tinyInstance } from './support/tiny-instance.ts';

const { signal } = new AbortController();

// What root of a guest can do at once: fill processors, console, memory and disks, speak on the host's ports in the
// supervisor's place, knock at every door of the gateway, and flood with packets of its own and of others.
const attack = `
for n in 1 2 3; do (while :; do :; done) & done
(while :; do printf '\\033]0;x\\007\\033[2J%s' "$RANDOM"; done >/dev/console) &
(dd if=/dev/zero of=/filled bs=65536 count=200) &
for port in /dev/vport*; do (while :; do printf '{"id":1,"ok":\\n{"sync":' >$port; done) & done
for n in 1 2 3; do (while :; do ping -A -s 1400 -c 1000 10.83.6.2; ping -A -c 1000 10.83.6.1; done) & done
(for port in $(seq 1 600); do nc -w 1 10.83.6.1 $port </dev/null & done)
(while :; do arping -U -c 50 -I eth0 -s 10.83.6.2 10.83.6.2; done) &
(while :; do nc -w 1 10.83.6.2 80 </dev/null & nc -w 1 10.83.6.2 81 </dev/null; done) &
ip address add 10.83.6.2/24 dev eth0
sleep 1000
`;

test.serial(
  'a guest that attacks everything around it harms nobody, and ends when it is told to',
  async (t) => {
    t.timeout(6 * 60_000);
    const { blobs, digest: kit } = await testKit();
    const world = await openQemuWorld(t, { blobs, kit });
    const deployment = newDeployment('hostile');
    const layers = [await storeTinyLayer(blobs, '<h1>well</h1>')];
    const [web, evil] = [
      tinyInstance({ kit, layers }, 'web.1', '10.83.6.2', { cpuMillicores: 300 }),
      tinyInstance({ kit, layers }, 'evil.1', '10.83.6.3', { cpuMillicores: 300 }),
    ];
    const instances = [
      ['web.1', web],
      ['evil.1', evil],
    ] as const;
    const members = instances.map(([instance, { address, mac }]) => ({ instance, address, mac }));
    const rules = [{ from: 'evil.1', to: 'web.1', transport: 'tcp', port: 80 } as const];
    const port = await freePort();
    const observed = async () => (await world.driver.observe(deployment, signal)).objects;
    const remove = async (): Promise<void> => {
      const objects = await observed();
      for (const kind of ['endpoint', 'instance', 'image', 'policy', 'network'] as const)
        for (const { key } of objects.filter((one) => one.kind === kind))
          await world.driver.perform(removeStep(kind, key), workOf(deployment));
    };
    t.teardown(remove);
    const wanted: readonly Desired[] = [
      { kind: 'network', key: 'network', state: { subnet: '10.83.6.0/24', gateway: '10.83.6.1' } },
      { kind: 'policy', key: 'wires', state: { members, rules } },
      { kind: 'image', key: 'tiny@1.0.0', state: { appliance: 'tiny', kit, layers } },
      ...instances.map(([key, state]): Desired => ({ kind: 'instance', key, state })),
      {
        kind: 'endpoint',
        key: 'web.in',
        state: {
          appliance: 'web',
          terminal: 'in',
          protocol: 'http',
          transport: 'tcp',
          listen: { address: '127.0.0.1', port },
          targets: [{ name: 'web.1', address: '10.83.6.2', port: 80 }],
        },
      },
    ];
    for (const desired of wanted) {
      const files = desired.kind === 'instance' ? filesOf(desired.state, deployment.id) : [];
      await world.driver.perform(ensureStep(desired), workOf(deployment, files));
    }
    const deadline = Date.now() + 120_000;
    while (Date.now() < deadline) {
      const healthy = (await observed()).filter((one) => one.kind === 'instance' && one.healthy);
      if (healthy.length === instances.length) break;
      await delay(250);
    }

    const stop = new AbortController();
    const streams = { stdout: new PassThrough().resume(), stderr: new PassThrough() };
    let complaints = '';
    streams.stderr.on('data', (chunk: Buffer) => {
      complaints = `${complaints}${chunk}`.slice(-10_000);
    });
    const command = ['/run/sheaf/bin/busybox', 'sh', '-c', attack];
    const attacking = world.driver
      .exec(deployment, { instance: 'evil.1', command, ...streams, signal: stop.signal })
      .catch(() => undefined);
    const looks: number[] = [];
    const answers: (number | undefined)[] = [];
    for (let round = 0; round < 6; round += 1) {
      const began = performance.now();
      const objects = await observed();
      looks.push(Math.round(performance.now() - began));
      t.true(objects.some((one) => one.key === 'web.1' && one.kind === 'instance' && one.healthy === true));
      answers.push(await statusOf(port));
      await delay(1000); // the attack goes on meanwhile
    }
    // the attack goes on while the machine is ended
    await remove();
    stop.abort();
    await attacking;

    t.regex(complaints, /vport.*resource busy/, 'its supervisor alone speaks to the host');
    t.log(`looked at in ${looks.join(', ')} ms during the attack`);
    t.true(Math.max(...looks) < 5000);
    t.deepEqual(answers, [200, 200, 200, 200, 200, 200]);
    t.deepEqual(await leftovers(world, deployment), []);
  },
);

async function statusOf(port: number): Promise<number | undefined> {
  return await new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/', timeout: 15_000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
