import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../engine/command.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { startRegistry } from './support/registry-server.ts';
import { packageCache, testHome } from './support/test-home.ts';

// Images that Dockerfiles made: a Debian with a web server, a small system without a package manager, and one bare program.

const name = 'strangers';
const recipe = ['build.sh', 'debian', 'small', 'bare'];

test('images that Dockerfiles made run as one application, one of them out of a registry', async (t) => {
  t.timeout(20 * 60_000);
  const images = await strangers();
  const registry = await startRegistry(t);
  const small = `${registry.host}/team/small@${await pushed(t, join(images, 'small'), `${registry.host}/team/small`)}`;
  const folder = temporaryFolder(t, {
    'application.yaml': application,
    'appliances/front/appliance.yaml': front(await imageIn(join(images, 'debian'))),
    'appliances/small/appliance.yaml': back('small', small),
    'appliances/bare/appliance.yaml': `${back('bare', await imageIn(join(images, 'bare')))}health: {tcp: {terminal: in}, interval: 1s}\n`,
  });
  t.teardown(() => sheaf('down', name, '--delete-data', name));

  const up = await sheaf('up', folder, '--as', name, '--json');

  t.is(up.code, 0, up.stdout);
  const result = JSON.parse(up.stdout.trim().split('\n').at(-1) ?? '');
  t.deepEqual(
    result.instances.map((one: { name: string; healthy: boolean }) => [one.name, one.healthy]),
    [
      ['bare.1', true],
      ['small.1', true],
      ['front.1', true],
    ],
  );
  t.regex(up.stdout, /front: its image keeps data in \/srv\/data/);
  const [{ url }] = result.endpoints;
  t.like(lines(await textAt(url)), {
    greeting: 'good day',
    user: '0:0', // as a setuid program sees it
    folder: '/srv/work',
    links: '2',
    setuid: '4755 root',
    'old configuration': 'gone',
    lists: '0',
    'shared memory': 'writable',
    host: 'front-1 front-1',
    resolver: 'readable',
    random: '8',
  });
  t.is(await textAt(new URL('small', url)), 'small: app shared /lib/\n');
  t.is(await textAt(new URL('bare', url)), 'bare: no shell, no accounts\n');
  const logs = (await sheaf('logs', name, 'front.1')).stdout;
  for (const line of [/main: begins\n/, /main: warns\n/, /main: .*"GET \/small HTTP/]) t.regex(logs, line);
  const owner = await sheaf('exec', name, 'front.1', '--', 'stat', '-c', '%u:%g', '/srv/www/index.html');
  t.is(owner.stdout, '1234:0\n');
  const inside = await sheaf('exec', name, 'bare.1', '--', '/run/sheaf/bin/busybox', 'ls', '/');
  t.regex(inside.stdout, /^httpd$/m);
});

const application = `apiVersion: sheaf/v1
kind: Application
name: strangers
version: 1.0.0
appliances: {front: {uses: front@^1}, small: {uses: small@^1}, bare: {uses: bare@^1}}
wires: [front.small -> small.in, front.bare -> bare.in]
`;

function front(image: string): string {
  return `apiVersion: sheaf/v1
kind: Appliance
name: front
version: 1.0.0
terminals:
  web: {direction: external, protocol: http, port: 8080}
  small: {direction: out, protocol: http}
  bare: {direction: out, protocol: http}
resources: {cpu: {default: 0.5}, memory: {default: 64MiB}}
image: {oci: "${image}"}
health: {http: {terminal: web, path: /}, interval: 1s}
`;
}

function back(appliance: string, image: string): string {
  return `apiVersion: sheaf/v1
kind: Appliance
name: ${appliance}
version: 1.0.0
terminals: {in: {direction: in, protocol: http, port: 8080}}
resources: {cpu: {default: 0.2}, memory: {default: 24MiB}}
image: {oci: "${image}"}
`;
}

/** Gives the folder of the images, built where what they are made of has changed. */
async function strangers(): Promise<string> {
  const sources = fileURLToPath(new URL('support/strangers/', import.meta.url));
  const { stdout } = await runCommand(
    'tar',
    ['--create', '--sort=name', '--mtime=@0', '-C', sources, ...recipe],
    {},
  );
  const target = join(
    testHome,
    `strangers-${createHash('sha256').update(stdout).digest('hex').slice(0, 12)}`,
  );
  const isThere = await stat(target).then(
    () => true,
    () => false,
  );
  if (!isThere)
    await runCommand('sh', [join(sources, 'build.sh'), target, packageCache], { timeoutMs: 15 * 60_000 });
  return target;
}

/** Names the one image of a layout. */
async function imageIn(layout: string): Promise<string> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
  return `oci:${layout}@${index.manifests[0].digest}`;
}

/** Copies an image to a registry. @returns its digest there */
async function pushed(t: ExecutionContext, parts: string, to: string): Promise<string> {
  const file = join(temporaryFolder(t), 'digest');
  const options = ['--insecure-policy', 'copy', '--dest-tls-verify=false', '--digestfile', file];
  await runCommand('skopeo', [...options, `dir:${parts}`, `docker://${to}`]);
  return (await readFile(file, 'utf8')).trim();
}

async function textAt(url: string | URL): Promise<string> {
  return await (await fetch(url)).text();
}

function lines(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(/: (.*)/s)),
  );
}

async function sheaf(verb: string, ...rest: readonly string[]): Promise<CliRun> {
  return await runCli([verb, '--home', testHome, ...rest], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
  });
}
