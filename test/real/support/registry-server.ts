import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { freePorts } from '../../../engine/free-ports.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

/** Debian's docker-registry on a free port of the loopback; ended when the test ends. */
export type RegistryServer = {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Where its content lies. */
  readonly folder: string;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and content. */
  start(): Promise<void>;
};

/** How a registry shall ask who comes. */
export type RegistryAccess = {
  /** Lines of an htpasswd file, with bcrypt. */
  readonly users?: string;
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificate: string;
  };
};

/** Starts a registry. */
export async function startRegistry(
  t: ExecutionContext,
  access: RegistryAccess = {},
): Promise<RegistryServer> {
  const folder = temporaryFolder(t);
  const [port = 0] = await freePorts(1);
  await mkdir(join(folder, 'content'));
  await writeFile(join(folder, 'users'), access.users ?? '');
  await writeFile(join(folder, 'token.crt'), access.token?.certificate ?? '');
  const auth = access.token
    ? {
        token: {
          realm: access.token.realm,
          service: access.token.service,
          issuer: access.token.issuer,
          rootcertbundle: join(folder, 'token.crt'),
        },
      }
    : access.users && { htpasswd: { realm: 'tests', path: join(folder, 'users') } };
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'content') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(auth && { auth }),
  };
  await writeFile(join(folder, 'settings.yml'), JSON.stringify(settings));
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once('close', resolve));
    running.kill('SIGKILL');
    await ended;
  };
  const start = async (): Promise<void> => {
    child = spawn('docker-registry', ['serve', join(folder, 'settings.yml')], { stdio: 'ignore' });
    await waitForPort(port);
  };
  t.teardown(kill);
  await start();
  return { host: `127.0.0.1:${port}`, folder, kill, start };
}

async function waitForPort(port: number): Promise<void> {
  const limit = Date.now() + 20_000;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    if (Date.now() > limit) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
