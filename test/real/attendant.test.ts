import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { runCommand } from '../../engine/command.ts';
import { digestOf } from '../../engine/digest.ts';
import { readAttendantPin } from '../../engine/images/attendant.ts';
import { buildKitPrograms } from '../../engine/images/kit-programs.ts';

// names of network interfaces are short, and several runs may share a machine
const mark = `at${process.pid}`;
const outer = '203.0.113.77';
const user = 2_000_000_001;

let root: string;
let attendant: string;
const running = new Set<ChildProcess>();

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'attendant-'));
  const programs = await buildKitPrograms(
    ['attendant'],
    join(import.meta.dirname, '../../kit'),
    root,
    new AbortController().signal,
  );
  attendant = join(root, 'attendant');
  await writeFile(attendant, programs.attendant);
  await chmod(attendant, 0o700);
  await prepareNetwork();
});

test.after.always(async () => {
  for (const child of running) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  for (const name of [mark, `${mark}g`]) await runCommand('ip', ['netns', 'delete', name]);
  await runCommand('ip', ['address', 'delete', `${outer}/32`, 'dev', 'lo']);
  await rm(root, { recursive: true, force: true });
});

test.serial('it is the program that the checkout names, where Go is of that version', async (t) => {
  const pin = await readAttendantPin(join(import.meta.dirname, '../../kit'));
  const { stdout } = await runCommand('go', ['env', 'GOVERSION'], { environment: { HOME: root } });

  t.true(pin?.go !== stdout.trim() || pin?.program === digestOf(await readFile(attendant)));
});

test.serial('an instance sees who its clients are, and a local one as the gateway', async (t) => {
  const port = await freePort();
  await serveInGuest(80);
  const { said, child } = await endpoint(port, ['--target', '10.99.7.3:80', '--target', '10.99.7.2:80']);
  const state = await readFile(`/proc/${child.pid}/status`, 'utf8');

  t.is(said, 'ready');
  t.is(await askFrom(outer, port), `${outer} 5`);
  t.is(await askFrom('127.0.0.1', port), '10.99.7.1 5');
  t.regex(state, new RegExp(`^Uid:\\t${user}\\t${user}\\t${user}\\t${user}$`, 'm'));
  t.regex(state, /^CapEff:\t0+$/m);
  t.regex(state, /^NoNewPrivs:\t1$/m);
});

test.serial('an address in use is told apart from one that cannot be had', async (t) => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;

  const used = await endpoint(port, ['--target', '10.99.7.2:80']);
  const foreign = await endpoint(port, ['--target', '10.99.7.2:80'], '198.51.100.7');
  taken.close();

  t.is(JSON.parse(used.said).error.code, 'ADDRESS_TAKEN');
  t.is(used.child.exitCode, 3);
  t.is(JSON.parse(foreign.said).error.code, 'ENDPOINT_FAILED');
  t.is(foreign.child.exitCode, 4);
});

/** The namespace of a deployment as the driver makes it, with one instance behind a device of its own. */
async function prepareNetwork(): Promise<void> {
  const guest = `${mark}g`;
  await runCommand('ip', ['netns', 'add', mark]);
  await runCommand('ip', ['netns', 'add', guest]);
  await runCommand('ip', ['address', 'add', `${outer}/32`, 'dev', 'lo']);
  await runCommand('ip', ['-n', mark, '-batch', '-'], {
    input: `link add t0 type veth peer name eth0 netns ${guest}
link set lo up
address add 10.99.7.1/32 dev lo
route add local default dev lo table main
link set t0 up
route add 10.99.7.2/32 dev t0 src 10.99.7.1
`,
  });
  await runCommand('ip', ['-n', guest, '-batch', '-'], {
    input: `link set lo up
address add 10.99.7.2/24 dev eth0
link set eth0 up
route add default via 10.99.7.1
`,
  });
  const settings = 'ip_nonlocal_bind=1 conf/all/rp_filter=0 conf/t0/rp_filter=0 conf/t0/proxy_arp=1';
  const script = `for s in ${settings}; do echo "\${s#*=}" > "/proc/sys/net/ipv4/\${s%=*}"; done`;
  await runCommand('nsenter', [`--net=/run/netns/${mark}`, 'sh', '-eu', '-c', script]);
}

/** Starts a server that answers, once its client has said all, who that was and how much it said. */
async function serveInGuest(port: number): Promise<void> {
  const program = `require('node:net').createServer({allowHalfOpen: true}, (client) => {
    let length = 0;
    client.on('data', (data) => { length += data.length; });
    client.on('end', () => client.end(client.remoteAddress + ' ' + length));
  }).listen(${port}, '0.0.0.0', () => console.log('listens'));`;
  const child = spawn('nsenter', [`--net=/run/netns/${mark}g`, process.execPath, '-e', program]);
  running.add(child);
  await once(createInterface(child.stdout), 'line');
}

async function endpoint(
  port: number,
  targets: readonly string[],
  address = '0.0.0.0',
): Promise<{ readonly said: string; readonly child: ChildProcess }> {
  const child = spawn(attendant, [
    ...['endpoint', '--name', mark, '--listen', `${address}:${port}`, '--transport', 'tcp', ...targets],
    ...['nsenter', `--net=/run/netns/${mark}`, '--'].flatMap((word) => ['--enter', word]),
    ...['--gateway', '10.99.7.1', '--uid', `${user}`],
  ]);
  const [said] = await once(createInterface(child.stdout), 'line');
  if (said === 'ready') running.add(child);
  else if (child.exitCode === null) await once(child, 'exit');
  return { said, child };
}

async function askFrom(address: string, port: number): Promise<string> {
  const client = connect({ host: address, port, localAddress: address, allowHalfOpen: true });
  client.end('hello');
  return await text(client);
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
