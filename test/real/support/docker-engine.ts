import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../../../engine/command.ts';
import { EngineApi } from '../../../engine/drivers/docker/engine-api.ts';

/** A Docker Engine of a test's own, in a network namespace of its own. */
export type TestEngine = {
  readonly api: EngineApi;
  readonly socket: string;
  /** Restarts a container, as `docker restart` does. */
  readonly restart: (container: string) => Promise<void>;
  /** Kills the Engine at once, as a crash would, and starts it again. */
  readonly crash: () => Promise<void>;
  /** Runs a command in the Engine's network, as a program of its server. */
  readonly onServer: (command: string, args: readonly string[]) => Promise<string>;
  /** Ends the Engine and everything that it has left. */
  readonly close: () => Promise<void>;
};

const startTimeoutMs = 90_000;

/** The network that an Engine is started in. */
export type EngineNetwork = {
  /** What goes in front of a command that shall run there. */
  readonly enterNetwork: readonly string[];
  /** Address of a name server. */
  readonly names: string;
};

/**
 * Starts a Docker Engine that touches nothing of this machine: its own folders, bridges and packet rules.
 *
 * @param within - its network; one of its own without any way out when absent
 */
export async function startDockerEngine(within?: EngineNetwork): Promise<TestEngine> {
  const root = await mkdtemp(join(tmpdir(), 'sheaf-docker-'));
  const holder = spawn(
    'unshare',
    ['--net', 'sh', '-c', 'ip link set lo up && echo up && exec sleep infinity'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  const enter = within?.enterNetwork ?? ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  const place = { root, enter, names: within?.names };
  const socket = join(root, 'docker.sock');
  const api = new EngineApi({ kind: 'unix', path: socket });
  // of its own, as on most servers: it outlives a Docker Engine that crashes
  const containerd = await startContainerd(root);
  const starting = start(place, socket, api);
  starting.catch(() => containerd.kill('SIGKILL'));
  let daemon = await starting;
  return {
    api,
    socket,
    async restart(container) {
      await api.stop(container, 5);
      await api.start(container);
    },
    async crash() {
      daemon.kill('SIGKILL');
      await ended(daemon);
      daemon = await start(place, socket, api);
    },
    async onServer(command, args) {
      const [first = '', ...words] = [...enter, command, ...args];
      const { stdout } = await runCommand(first, words);
      return stdout;
    },
    async close() {
      for (const { id } of await api.containers([]).catch(() => []))
        await api.removeContainer(id).catch(() => undefined);
      daemon.kill('SIGTERM');
      await ended(daemon);
      containerd.kill('SIGTERM');
      await ended(containerd);
      await endProcessesOf(root); // what a failure has left
      holder.kill('SIGKILL');
      await ended(holder);
      await runCommand('sh', ['-c', `grep -o " ${root}/[^ ]*" /proc/mounts | sort -r | xargs -r umount -l`]);
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function startContainerd(root: string): Promise<ChildProcess> {
  const folder = join(root, 'containerd');
  const address = join(folder, 'socket');
  const child = spawn(
    'containerd',
    [
      '--config',
      '/dev/null',
      '--root',
      join(folder, 'root'),
      '--state',
      join(folder, 'state'),
      '--address',
      address,
    ],
    { stdio: 'ignore' },
  );
  const deadline = Date.now() + startTimeoutMs;
  while (!existsSync(address) && Date.now() < deadline) await delay(100);
  return child;
}

async function start(
  {
    root,
    enter,
    names,
  }: { readonly root: string; readonly enter: readonly string[]; readonly names: string | undefined },
  socket: string,
  api: EngineApi,
): Promise<ChildProcess> {
  const log = join(root, 'log');
  const file = openSync(log, 'a');
  const args = [
    ...['--data-root', join(root, 'data'), '--exec-root', join(root, 'exec'), '--pidfile', join(root, 'pid')],
    ...[
      '--containerd',
      join(root, 'containerd/socket'),
      '--host',
      `unix://${socket}`,
      '--storage-driver',
      'overlay2',
      '--config-file',
      join(root, 'none.json'),
    ],
  ];
  await rm(join(root, 'pid'), { force: true });
  await runCommand('sh', ['-c', `echo '{}' > ${join(root, 'none.json')}`]);
  const [first = '', ...words] = [...enter, 'dockerd', ...args, ...(names ? ['--dns', names] : [])];
  const daemon = spawn(first, words, {
    stdio: ['ignore', file, file],
  });
  const deadline = Date.now() + startTimeoutMs;
  const { signal } = new AbortController();
  for (;;) {
    if (await api.facts(signal).catch(() => undefined)) return daemon;
    if (Date.now() > deadline || daemon.exitCode !== null) {
      daemon.kill('SIGKILL');
      throw new Error(`dockerd does not start: ${(await readFile(log, 'utf8')).slice(-2000)}`);
    }
    await delay(200);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

/** Ends the processes that name a folder, and what they have started. */
async function endProcessesOf(folder: string): Promise<void> {
  const script = `for p in $(pgrep -f "${folder}"); do pkill -KILL -P $p; kill -KILL $p; done; true`;
  await runCommand('sh', ['-c', script.replace(folder, `[/]${folder.slice(1)}`)]);
}
