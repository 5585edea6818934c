import { link, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { runCommand } from '../../engine/command.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { packageCache, testHome } from './support/test-home.ts';

// A stock Debian with systemd and the real cloud-init, which knows nothing of Sheaf.

const name = 'whole';
// raised whenever the script makes another disk
const disk = join(testHome, 'disks/debian-4.qcow2');
let folder: string;

test.before(async () => {
  await mkdir(join(testHome, 'disks'), { recursive: true });
  const script = fileURLToPath(new URL('support/debian-disk.sh', import.meta.url));
  const isThere = await stat(disk).then(
    () => true,
    () => false,
  );
  if (!isThere) await runCommand('sh', [script, disk, packageCache], { timeoutMs: 15 * 60_000 });
  folder = await mkdtemp(join(testHome, 'disks/application-'));
  const appliance = join(folder, 'appliances/debian');
  await mkdir(appliance, { recursive: true });
  await mkdir(join(folder, 'appliances/back'));
  await link(disk, join(appliance, 'debian.qcow2'));
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
});

test.after.always(async () => {
  await sheaf('down', name, '--delete-data', name);
  await rm(folder, { recursive: true, force: true });
});

test('a stock Debian boots from its own disk and follows the seed', async (t) => {
  t.timeout(15 * 60_000);

  const up = await sheaf('up', folder, '--as', name, '--set', 'greeting=good day', '--json');

  if (up.code !== 0) t.log((await sheaf('logs', name, 'sys.1')).stdout.slice(-30_000));
  t.is(up.code, 0, up.stdout);
  const result = JSON.parse(up.stdout.trim().split('\n').at(-1) ?? '');
  t.deepEqual(
    result.instances.map(({ healthy }: { readonly healthy: boolean }) => healthy),
    [true, true],
  );
  const page = await (await fetch(result.endpoints[0].url)).text();
  t.regex(page, /^said: good day$/m);
  t.regex(page, /^host: sys-1$/m);
  t.regex(page, /^mode: 640 root:daemon$/m);
  t.regex(page, /^volume: \S+ ext4 .*nosuid/m);
  t.regex(page, /^peer: 10\.\d+\.\d+\.\d+ +back$/m);
  t.regex(page, /^through the wire: hello from the back$/m);
  t.regex(page, /^init: systemd$/m);
  t.regex(page, /^root: +5G$/m);
  t.regex(page, /^boot: BIOS$/m);

  const exec = await sheaf('exec', name, 'sys.1', '--', 'true');
  t.is(exec.code, 120);
  t.regex(exec.stderr, /disk of its own/);
  const logs = await sheaf('logs', name, 'sys.1');
  t.regex(logs.stdout, /Cloud-init v\. \S+ finished/);

  const down = await sheaf('down', name, '--keep-data', '--json');
  t.is(down.code, 0, down.stdout);
});

const files = {
  'application.yaml': `apiVersion: sheaf/v1
kind: Application
name: whole
version: 1.0.0
parameters: {greeting: {type: string}}
appliances:
  sys: {uses: debian@^1, properties: {greeting: {parameter: greeting}}}
  back: {uses: back@^1}
wires: [sys.back -> back.in]
`,
  'appliances/debian/appliance.yaml': `apiVersion: sheaf/v1
kind: Appliance
name: debian
version: 1.0.0
terminals:
  web: {direction: external, protocol: http, port: 8080}
  back: {direction: out, protocol: http}
properties: {greeting: {type: string}}
resources: {cpu: {default: 1}, memory: {default: 384MiB}}
volumes: {data: {kind: data, mount: /srv/data, size: {default: 64MiB}}}
image: {disk: debian.qcow2, size: 5GiB, run: [[sh, /etc/page.sh]]}
files: [{path: /etc/page.sh, template: page.njk, mode: "0640", owner: "root:daemon"}]
health: {http: {terminal: web, path: /}, timeout: 5s}
`,
  'appliances/debian/page.njk': `mkdir -p /srv/www
{
  echo "said: {{ properties.greeting }}"
  echo "host: $(hostname)"
  echo "mode: $(stat -c '%a %U:%G' /etc/page.sh)"
  echo "volume: $(findmnt -no SOURCE,FSTYPE,OPTIONS /srv/data)"
  echo "peer: $(getent hosts back)"
  echo "through the wire: $(busybox wget -qO - http://back:8080/)"
  echo "init: $(cat /proc/1/comm)"
  echo "root: $(df --output=size -BG / | tail -n 1)"
  echo "boot: $(test -e /sys/firmware/efi && echo UEFI || echo BIOS)"
} >/srv/www/index.html
systemd-run busybox httpd -f -p 8080 -h /srv/www
`,
  'appliances/back/appliance.yaml': `apiVersion: sheaf/v1
kind: Appliance
name: back
version: 1.0.0
terminals: {in: {direction: in, protocol: http, port: 8080}}
resources: {cpu: {default: 0.1}, memory: {default: 24MiB}}
image: {suite: bookworm, packages: [base-files]}
files: [{path: /srv/index.html, template: page.njk}]
services: {web: {command: [/run/sheaf/bin/busybox, httpd, -f, -p, "8080", -h, /srv]}}
health: {tcp: {terminal: in}, interval: 1s}
`,
  'appliances/back/page.njk': 'hello from the back\n',
} as const;

async function sheaf(verb: string, ...rest: readonly string[]): Promise<CliRun> {
  return await runCli([verb, '--home', testHome, ...rest], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
  });
}
