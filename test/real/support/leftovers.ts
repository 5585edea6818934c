import { readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../engine/command.ts';
import { digestOf } from '../../../engine/digest.ts';

/**
 * Lists everything on this machine that belongs to deployments of a home: processes, namespaces, files.
 *
 * @param ids - of the deployments; their names at the provider are built from them
 */
export async function leftoversOf(home: string, ids: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runCommand('ip', ['netns', 'list']);
  const namespaces = stdout.split('\n').filter((line) => ids.some((id) => line.includes(id)));
  const runtime = join('/run/sheaf', digestOf(home).slice('sha256:'.length, 'sha256:'.length + 8));
  return [
    ...processesOf(ids),
    ...namespaces.map((name) => `namespace ${name}`),
    ...(await filesUnder(runtime, ids)),
    ...(await filesUnder(home, ids)),
  ];
}

function processesOf(ids: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = readCommand(pid);
    if (ids.some((id) => command.includes(id))) found.push(`process ${pid} ${command.slice(0, 200)}`);
  }
  return found;
}

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it ended meanwhile
  }
}

async function filesUnder(folder: string, ids: readonly string[]): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names
    .filter((name) => ids.some((id) => name.includes(id)))
    .map((name) => `file ${join(folder, name)}`);
}
