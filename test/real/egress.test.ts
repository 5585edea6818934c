import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { buildImage } from '../../engine/images/build-image.ts';
import { sampleDeployment } from '../render/instances.ts';
import { leftoversOf } from './support/leftovers.ts';
import { type OuterWorld, openOuterWorld, serverAddress, worldAddresses } from './support/outer-world.ts';
import { checkout, openTestHome, testHome, testKit } from './support/test-home.ts';

// Two callers before one egress, on a server with a world of our own around it.

const name = 'outward';
// whoever enters another mount namespace stands at its root
const program = join(checkout, 'cli/start.js');
const source = join(checkout, 'test/fixtures/outward');
const [publicAddress, privateAddress] = worldAddresses;
let world: OuterWorld;
let addresses: ReadonlyMap<string, string>;

test.before(async (t) => {
  t.timeout(12 * 60_000);
  await buildParts();
  world = await openOuterWorld({
    'api.example.test': publicAddress,
    'other.example.test': publicAddress,
    'own.example.test': serverAddress,
    'inner.example.test': privateAddress,
    'near.example.test': privateAddress,
    'meta.example.test': '169.254.169.254',
  });
  await sheaf('down', name, '--delete-data', name);
  const up = await sheaf('up', source, '--as', name, '--yes', '--json');
  t.is(up.code, 0, up.output.slice(-2000));
  const status = JSON.parse((await sheaf('status', name, '--json')).output);
  addresses = new Map(
    status.instances.map((one: { name: string; address: string }) => [one.name, one.address]),
  );
  t.is(status.state, 'running');
  const keep = 'printf %s "$1" >/tmp/ca.pem';
  for (const caller of ['a.1', 'b.1']) await run(caller, 'sh', '-c', keep, 'sh', world.certificate);
});

test.after.always(async () => {
  if (world === undefined) return;
  await sheaf('down', name, '--delete-data', name);
  await world.close();
});

test.serial('a listed name is reached over TLS, with its own certificate, and over HTTP', async (t) => {
  t.is((await curl('a.1', 'https://api.example.test/x')).output, 'api.example.test was asked for /x\n');
  t.is((await curl('a.1', 'http://api.example.test/y')).output, 'api.example.test was asked for /y\n');
});

test.serial(
  'another name is refused and told in the log, be it in TLS, in HTTP or hidden behind a listed one',
  async (t) => {
    const out = addresses.get('out.1');
    const lead = ['--resolve', `other.example.test:443:${out}`, '--resolve', `other.example.test:80:${out}`];

    const secure = await curl('a.1', ...lead, 'https://other.example.test/');
    const plain = await curl('a.1', ...lead, 'http://other.example.test/');
    const both = await curl(
      'a.1',
      'http://api.example.test/1',
      '--next',
      '-H',
      'Host: other.example.test',
      'http://api.example.test/2',
    );
    const tunnel = await curl('a.1', '-x', `http://${out}:80`, 'https://api.example.test/');
    const nameless = await curl('a.1', '-k', `https://${out}/`);

    t.not(secure.code, 0);
    t.regex(plain.output, /no wire lists this name/);
    t.regex(both.output, /^api\.example\.test was asked for \/1\n.*no wire lists this name/s);
    t.regex(tunnel.output, /405/);
    t.not(nameless.code, 0);
    const log = (await sheaf('logs', name, 'out.1')).output;
    t.regex(log, /refused a\.1 -> other\.example\.test:443/);
    t.regex(log, /refused a\.1 -> other\.example\.test:80/);
    t.regex(log, /forwarded a\.1 -> api\.example\.test:443/);
  },
);

test.serial("a client has its own wire's names, not its neighbour's", async (t) => {
  const out = addresses.get('out.1');
  const lead = ['--resolve', `api.example.test:80:${out}`, '--resolve', `api.example.test:443:${out}`];

  const unknown = await curl('b.1', 'http://api.example.test/');
  const led = await curl('b.1', ...lead, 'http://api.example.test/');
  const closed = await curl('b.1', ...lead, 'https://api.example.test/');

  t.is(unknown.code, 6);
  t.regex(led.output, /no wire lists this name/);
  t.not(closed.code, 0); // its wire opens port 80 alone
});

test.serial(
  'a listed name that leads to the server, its network or a cloud is refused; a private one if its wire does not say so',
  async (t) => {
    t.regex((await curl('b.1', 'http://own.example.test/')).output, /is an address of this server/);
    t.regex((await curl('b.1', 'http://inner.example.test/')).output, /is a private address/);
    t.regex((await curl('b.1', 'http://meta.example.test/')).output, /is a link-local address/);
    t.regex((await curl('b.1', 'http://nowhere.example.test/')).output, /cannot be resolved/);
    t.is((await curl('b.1', 'http://near.example.test/z')).output, 'near.example.test was asked for /z\n');
    const log = (await sheaf('logs', name, 'out.world')).output;
    t.regex(log, /refused b\.1 -> own\.example\.test:80: 203\.0\.113\.129 is an address of this server/);
  },
);

test.serial('packets go out by no other way, and to the way out from the egress alone', async (t) => {
  const way = `${addresses.get('out.1')?.replace(/\d+$/, '1')}`;
  const reaches = async (from: string, address: string, port: number): Promise<boolean> =>
    (await run(from, 'busybox', 'nc', '-w', '2', address, `${port}`, '-e', 'true')).code === 0;

  t.true(await reaches('out.1', way, 4430));
  t.false(await reaches('a.1', way, 4430));
  t.false(await reaches('out.1', way, 22));
  for (const from of ['a.1', 'out.1'])
    for (const address of [publicAddress, privateAddress, serverAddress])
      t.false(await reaches(from, address, 443), `${from} ${address}`);
});

test.serial('an egress that was taken over reaches listed names and nothing else', async (t) => {
  const way = `${addresses.get('out.1')?.replace(/\d+$/, '1')}`;
  const ask = async (client: string, host: string): Promise<string> => {
    const numbers = [...(addresses.get(client) ?? client).split('.'), ...way.split('.')].map(Number);
    const header = [
      13,
      10,
      13,
      10,
      0,
      13,
      10,
      81,
      85,
      73,
      84,
      10,
      0x21,
      0x11,
      0,
      12,
      ...numbers,
      0x10,
      0,
      0,
      80,
    ];
    const octal = header.map((one) => `\\0${one.toString(8)}`).join('');
    const script = `(printf '%b' '${octal}'; printf 'GET / HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) | busybox nc -w 5 ${way} 4430`;
    return (await run('out.1', 'sh', '-c', script)).output;
  };

  t.regex(await ask('a.1', 'api.example.test'), /api\.example\.test was asked/);
  t.regex(await ask('a.1', 'other.example.test'), /403 .*not on its list/s);
  t.regex(await ask('b.1', 'own.example.test'), /403 .*address of this server/s);
  t.is(await ask('10.83.99.99', 'api.example.test'), '');
});

test.serial('a way out that was killed is seen and opened again by the same up', async (t) => {
  const [uplink] = (await leftoversOf(testHome, ['endpoint-out.world'])).flatMap(
    (line) => / (\d+) \S*attendant\S* uplink/.exec(line)?.[1] ?? [],
  );
  process.kill(Number(uplink), 'SIGKILL');

  const broken = JSON.parse((await sheaf('status', name, '--json')).output);
  const again = await sheaf('up', source, '--as', name, '--yes', '--json');

  t.is(broken.state, 'degraded');
  t.is(again.code, 0, again.output.slice(-2000));
  t.is(
    (await curl('a.1', 'http://api.example.test/again')).output,
    'api.example.test was asked for /again\n',
  );
});

/** Builds the kit and the images here, for in that world there are no packages. */
async function buildParts(): Promise<void> {
  await testKit();
  const { images } = await sampleDeployment('test/fixtures/outward');
  const { close, ...context } = await openTestHome();
  try {
    for (const { image, ...needed } of images.values())
      if (image.kind === 'packages') await buildImage({ ...needed, image }, context);
  } finally {
    close();
  }
}

type Run = { readonly code: number | null; readonly output: string };

async function sheaf(...args: readonly string[]): Promise<Run> {
  return await runThere([process.execPath, program, ...args, '--home', testHome]);
}

async function run(instance: string, ...command: readonly string[]): Promise<Run> {
  return await runThere([
    ...[process.execPath, program, 'exec', name, instance, '--home', testHome],
    ...['--', ...command],
  ]);
}

async function runThere(command: readonly string[]): Promise<Run> {
  const [first = '', ...words] = [...world.enter, ...command];
  const child = spawn(first, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  const output = await text(child.stdout);
  await ended;
  return { code: child.exitCode, output };
}

async function curl(instance: string, ...args: readonly string[]): Promise<Run> {
  return await run(
    instance,
    'sh',
    '-c',
    'exec "$@" 2>&1',
    'sh',
    'curl',
    '-sS',
    '-m',
    '20',
    '--cacert',
    '/tmp/ca.pem',
    ...args,
  );
}
