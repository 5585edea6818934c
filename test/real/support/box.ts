import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GuestFile } from '../../../engine/model/guest-file.ts';
import { type Ended, openSession, type Session } from '../guest-channel.ts';

/** What {@link startBox} runs. */
export type BoxRequest = {
  /** A folder of the box's own; a box started in it again goes on with its volumes. */
  readonly folder: string;
  /** Name of a network namespace. */
  readonly space: string;
  readonly layers: string;
  readonly supervisor: string;
  readonly files: readonly GuestFile[];
  /** Host folders by their place in the box: an application's content. */
  readonly contents?: Readonly<Record<string, string>>;
  /** Places of data volumes. */
  readonly volumes?: readonly string[];
};

/** An instance in namespaces of this machine: the appliance's own image under the kit's own supervisor, without a VM. */
export type Box = {
  readonly status: () => Promise<{ readonly phase: string; readonly healthy: boolean | null }>;
  /** Waits until it is healthy. */
  readonly healthy: () => Promise<void>;
  readonly run: (...command: readonly string[]) => Promise<Ended>;
  /** Gives it other files, as a driver does for a changed instance. */
  readonly apply: (files: readonly GuestFile[]) => Promise<void>;
  /** Holds its data still, or lets them go on. @returns the guest's answer */
  readonly still: (op: 'quiesce' | 'resume') => Promise<Readonly<Record<string, unknown>>>;
  readonly log: () => Promise<string>;
  /** Ends it as a power failure would. */
  readonly kill: () => Promise<void>;
};

/** Starts an instance in a box. */
export async function startBox(request: BoxRequest): Promise<Box> {
  const { folder } = request;
  const volumes = await prepare(request);
  const log = join(folder, 'log');
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'nsenter', `--net=/run/netns/${request.space}`, '--'],
      ...['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child=KILL', '--'],
      ...['sh', fileURLToPath(new URL('box.sh', import.meta.url)), folder, request.layers, ...volumes],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const file = createWriteStream(log, { flags: 'a' });
  child.stdout?.pipe(file);
  child.stderr?.pipe(file);
  const session = await sessionWith(child, join(folder, 'run/sheaf/control.sock'), log);
  return {
    status: () => statusOf(session),
    healthy: () => waitUntilHealthy(session, log),
    run: (...command) => session.run(command),
    apply: async (files) => {
      await session.ask('apply', { files: files.map(inSeed) });
    },
    still: (op) => session.ask(op),
    log: () => readFile(log, 'utf8'),
    async kill() {
      session.close();
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

async function prepare(request: BoxRequest): Promise<readonly string[]> {
  const { folder, files } = request;
  for (const part of ['root', 'upper', 'work', 'run/sheaf/bin'])
    await mkdir(join(folder, part), { recursive: true });
  await cp(request.supervisor, join(folder, 'run/sheaf/bin/supervisor'));
  for (const { path, content, mode } of files) {
    const target = join(folder, 'upper', path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    await chmod(target, Number.parseInt(mode, 8));
  }
  const owned = files.filter(({ owner }) => owner !== undefined);
  await writeFile(join(folder, 'owners'), owned.map(({ owner, path }) => `${owner} ${path}\n`).join(''));
  for (const [to, from] of Object.entries(request.contents ?? {}))
    await cp(from, join(folder, 'upper', to), { recursive: true });
  const mounts: string[] = [];
  for (const [index, mount] of (request.volumes ?? []).entries()) {
    const volume = join(folder, `volume${index}`);
    await mkdir(volume, { recursive: true });
    mounts.push(volume, mount);
  }
  return mounts;
}

async function sessionWith(child: ChildProcess, socket: string, log: string): Promise<Session> {
  for (let tries = 0; ; tries++) {
    try {
      return await openSession(socket);
    } catch (error) {
      if (tries === 100 || child.exitCode !== null)
        throw new Error(await readFile(log, 'utf8'), { cause: error });
      await pause();
    }
  }
}

async function statusOf(session: Session): Promise<{ phase: string; healthy: boolean | null }> {
  const { phase, healthy } = await session.ask('status');
  return { phase: String(phase), healthy: typeof healthy === 'boolean' ? healthy : null };
}

async function waitUntilHealthy(session: Session, log: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { healthy } = await statusOf(session);
    if (healthy) return;
    await pause();
  }
  throw new Error(await readFile(log, 'utf8'));
}

function inSeed({ path, content, mode, owner }: GuestFile): object {
  return { path, content, permissions: mode, ...(owner !== undefined && { owner }) };
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
