import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../../engine/command.ts';

/** A server in a network of its own, with a world of servers and names around it. A name server answers at its public address. */
export type OuterWorld = {
  /** What goes in front of a command that shall run on that server. */
  readonly enter: readonly string[];
  /** The same, into its network alone. */
  readonly enterNetwork: readonly string[];
  /** The certificate with which the world's servers show themselves. */
  readonly certificate: string;
  readonly close: () => Promise<void>;
};

/** The server's own address towards the world. */
export const serverAddress = '203.0.113.129';
/** A public and a private address of the world. Who is asked there tells by which name. */
export const worldAddresses = ['203.0.113.130', '10.9.8.7'] as const;

/**
 * Makes a server and a world: two network namespaces without names, held by processes, and a list of hosts that only the
 * server sees. Nothing of this machine's own network is touched.
 *
 * @param hosts - addresses by name
 */
export async function openOuterWorld(hosts: Readonly<Record<string, string>>): Promise<OuterWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-world-'));
  const certificate = join(folder, 'certificate.pem');
  const key = join(folder, 'key.pem');
  const list = join(folder, 'hosts');
  const lines = Object.entries(hosts).map(([name, address]) => `${address} ${name}\n`);
  await writeFile(list, `127.0.0.1 localhost\n${lines.join('')}`);
  await runCommand('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=world'],
    ...['-addext', `subjectAltName=${Object.keys(hosts).map((name) => `DNS:${name}`)}`],
    ...['-keyout', key, '-out', certificate],
  ]);
  const hold = 'mount --bind "$0" /etc/hosts; ip link set lo up; echo here; exec cat';
  const server = await holder('unshare', '--mount', '--net', 'sh', '-euc', hold, list);
  const world = await holder('unshare', '--net', 'sh', '-euc', 'ip link set lo up; echo here; exec cat');
  await runCommand('ip', [
    ...['link', 'add', 'outer', 'netns', `${server.pid}`, 'type', 'veth'],
    ...['peer', 'name', 'inner', 'netns', `${world.pid}`],
  ]);
  const [public_, private_] = worldAddresses;
  const serverLines = `address add ${serverAddress}/25 dev outer\nlink set outer up\nroute add default via ${public_}\n`;
  const worldLines = `address add ${public_}/25 dev inner\naddress add ${private_}/32 dev lo\nlink set inner up\n`;
  await runCommand('nsenter', ['-t', `${server.pid}`, '-n', 'ip', '-batch', '-'], { input: serverLines });
  await runCommand('nsenter', ['-t', `${world.pid}`, '-n', 'ip', '-batch', '-'], { input: worldLines });
  const program = fileURLToPath(new URL('outer-server.ts', import.meta.url));
  const enterWorld = ['-t', `${world.pid}`, '-n', process.execPath, program, key, certificate];
  const servers = await holder('nsenter', ...enterWorld);
  const namesProgram = fileURLToPath(new URL('outer-names.ts', import.meta.url));
  const enterNames = ['-t', `${world.pid}`, '-n', process.execPath, namesProgram, JSON.stringify(hosts)];
  const names = await holder('nsenter', ...enterNames);
  return {
    enter: ['nsenter', '-t', `${server.pid}`, '-m', '-n', '--'],
    enterNetwork: ['nsenter', '-t', `${server.pid}`, '-n', '--'],
    certificate: await readFile(certificate, 'utf8'),
    async close() {
      for (const child of [names, servers, world, server]) {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function holder(command: string, ...args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(createInterface(child.stdout), 'line');
  return child;
}
