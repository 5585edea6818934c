import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../engine/free-ports.ts';

/** Starts Debian's docker-registry on a free port of the loopback, with its content below a folder. */
export async function startRegistry(
  folder: string,
): Promise<{ readonly host: string; readonly end: () => void }> {
  const [port = 0] = await freePorts(1);
  mkdirSync(join(folder, 'registry'), { recursive: true });
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
    http: { addr: `127.0.0.1:${port}` },
  };
  writeFileSync(join(folder, 'registry.yml'), JSON.stringify(settings));
  const child = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], { stdio: 'ignore' });
  for (let tries = 0; tries < 200 && !(await answers(port)); tries += 1) await sleep(50);
  return { host: `127.0.0.1:${port}`, end: () => void child.kill('SIGKILL') };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
