import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { type TarSource, writeTar } from '../../engine/formats/tar.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { type LayoutLayer, writeLayout } from '../images/layout-of.ts';
import { testHome } from './support/test-home.ts';

// Images that know nothing of Sheaf: tars made by GNU tar, in a layout written by hand.

const run = promisify(execFile);
const name = 'foreign';
let folder: string;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sheaf-foreign-'));
  const { index } = await writeLayout(join(folder, 'appliances/small/layout'), await smallLayers(), {
    Entrypoint: ['/entry.sh'],
    Cmd: ['hello there'],
    Env: ['PATH=/opt/bin', 'GREETING=good day'],
    User: '1234',
    WorkingDir: '/not/made/yet',
    Volumes: { '/srv/data': {} },
    StopSignal: 'SIGINT',
  });
  await writeFile(
    join(folder, 'appliances/small/appliance.yaml'),
    `apiVersion: sheaf/v1
kind: Appliance
name: small
version: 1.0.0
terminals: {web: {direction: external, protocol: http, port: 8080}}
resources: {cpu: {default: 0.5}, memory: {default: 32MiB}}
image: {oci: "oci:layout@${index}"}
health: {http: {terminal: web, path: /}, interval: 1s}
`,
  );
  await writeFile(
    join(folder, 'application.yaml'),
    'apiVersion: sheaf/v1\nkind: Application\nname: foreign\nversion: 1.0.0\nappliances: {one: {uses: small@^1}}\n',
  );
});

test.after.always(async () => {
  await sheaf(['down', name, '--delete-data', name]);
  await rm(folder, { recursive: true, force: true });
});

test('an image without accounts, /etc and /tmp runs its own command as its own user', async (t) => {
  t.timeout(10 * 60_000);

  const up = await sheaf(['up', folder, '--as', name, '--json']);

  t.is(up.code, 0, up.stdout);
  const result = JSON.parse(up.stdout.trim().split('\n').at(-1) ?? '');
  t.true(result.instances[0].healthy);
  t.regex(up.stdout, /srv\/data, which no volume/);
  const page = await (await fetch(result.endpoints[0].url)).text();
  const said = Object.fromEntries(
    page
      .trim()
      .split('\n')
      .map((line) => line.split(/: ?(.*)/s)),
  );
  t.like(said, {
    arguments: 'hello there',
    greeting: 'good day',
    user: '1234:0',
    folder: '/not/made/yet',
    layer: 'upper',
    many: '59 of 300000',
    removed: 'gone',
    hidden: 'yes',
    link: '2',
    setuid: '4755',
    shm: 'writable',
    temporary: 'writable',
    resolves: 'yes',
  });
  const logs = await sheaf(['logs', name, 'one.1']);
  t.regex(logs.stdout, /main: begins\n/);
  t.regex(logs.stdout, /main: opened anew\n/);
  const inside = await sheaf(['exec', name, 'one.1', '--', '/opt/bin/busybox', 'id', '-u']);
  t.is(inside.stdout, '0\n');
});

const entry = `#!/opt/bin/sh
echo begins
echo opened anew >/dev/stdout
{
  echo "arguments: $*"
  echo "greeting: $GREETING"
  echo "user: $(id -u):$(id -g)"
  echo "folder: $(pwd)"
  echo "layer: $(cat /opt/layer)"
  echo "many: $(cat /opt/many/count) of $(stat -c %u /opt/many/count)"
  echo "removed: $(test -e /opt/old || echo gone)"
  echo "hidden: $(test -e /opt/hidden/low || echo yes)"
  echo "link: $(stat -c %h /opt/bin/busybox)"
  echo "setuid: $(stat -c %a /opt/bin/su)"
  echo "shm: $(echo x >/dev/shm/x && echo writable)"
  echo "temporary: $(echo x >/tmp/x && echo writable)"
  echo "resolves: $(grep -q " $(hostname)$" /etc/hosts && echo yes)"
} >/tmp/index.html
exec httpd -f -p 8080 -h /tmp
`;

/** A musl-like image: one static program under many names, a script; what is in the lower layer is changed by the upper. */
async function smallLayers(): Promise<readonly LayoutLayer[]> {
  const lower = join(folder, 'lower');
  const upper = join(folder, 'upper');
  const bin = join(lower, 'opt/bin');
  await mkdir(bin, { recursive: true });
  await mkdir(join(lower, 'opt/hidden'));
  await writeFile(join(bin, 'busybox'), await readFile('/bin/busybox'), { mode: 0o755 });
  for (const applet of 'sh id cat grep stat hostname httpd test'.split(' '))
    await symlink('busybox', join(bin, applet));
  await writeFile(join(bin, 'su'), 'x');
  await chmod(join(bin, 'su'), 0o4755);
  for (const path of ['opt/old', 'opt/layer', 'opt/hidden/low']) await writeFile(join(lower, path), 'lower');
  await run('ln', [join(bin, 'busybox'), join(lower, 'opt/second')]);
  await run('mknod', [join(lower, 'opt/device'), 'c', '1', '3']);
  await mkdir(join(upper, 'opt/hidden'), { recursive: true });
  await writeFile(join(upper, 'entry.sh'), entry, { mode: 0o755 });
  await chmod(join(upper, 'entry.sh'), 0o755);
  await writeFile(join(upper, 'opt/layer'), 'upper');
  for (const path of ['opt/.wh.old', 'opt/hidden/.wh..wh..opq']) await writeFile(join(upper, path), '');
  const type = 'application/vnd.oci.image.layer.v1.tar';
  const [low, up] = [await tarOf(lower), await tarOf(upper)];
  const nothing = Buffer.alloc(1024);
  const empty = { mediaType: `${type}+gzip`, content: gzipSync(nothing), diffId: digestOf(nothing) };
  return [
    empty,
    { mediaType: `${type}+gzip`, content: gzipSync(low), diffId: digestOf(low) },
    ...(await Promise.all(Array.from({ length: 60 }, async (_, index) => await smallLayer(index)))),
    empty,
    // as zstd:chunked: frames of their own, and one at the end that holds no content
    {
      mediaType: `${type}+zstd`,
      content: Buffer.concat([
        zstdCompressSync(up.subarray(0, 700)),
        zstdCompressSync(up.subarray(700)),
        Buffer.from('502a4d180100000000', 'hex'),
      ]),
      diffId: digestOf(up),
    },
  ];
}

/** A layer of two files of one name, under absolute paths; each layer hides the one below. */
async function smallLayer(index: number): Promise<LayoutLayer> {
  const blank = { mode: 0o644, uid: 300_000, gid: 0, mtime: 0, target: '', attributes: {} };
  const file = (text: string): TarSource => {
    const content = Buffer.from(text);
    return { ...blank, path: '/opt/many/count', type: 'file', size: content.length, content };
  };
  const tar = await buffer(writeTar([file('first'), file(String(index))]));
  return { mediaType: 'application/vnd.docker.image.rootfs.diff.tar', content: tar, diffId: digestOf(tar) };
}

async function tarOf(root: string): Promise<Buffer> {
  const options = [
    '--create',
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--directory',
    root,
    '.',
  ];
  const { stdout } = await run('tar', options, { encoding: 'buffer', maxBuffer: 2 ** 28 });
  return stdout;
}

async function sheaf([verb = '', ...rest]: readonly string[]): Promise<CliRun> {
  return await runCli([verb, '--home', testHome, ...rest], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
  });
}
