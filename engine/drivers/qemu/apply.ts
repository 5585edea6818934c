import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, digestOf } from '../../digest.ts';
import type { GuestFile } from '../../model/guest-file.ts';
import { systemCode } from '../../system-code.ts';
import { writeWhole } from '../../whole-file.ts';
import { ask } from '../channel.ts';
import type { RuntimeFiles } from './layout.ts';
import { unixSocket } from './unix-socket.ts';

// a machine that has just been started must boot before it answers, and many may be booting
const applyTimeoutMs = 120_000;

/** Gives a running instance new files; its services follow. @throws EngineError INSTANCE_SILENT */
export async function applyFiles(
  runtime: RuntimeFiles,
  files: readonly GuestFile[],
  signal: AbortSignal,
): Promise<void> {
  const written = files.map(({ path, content, mode, owner }) => ({
    path,
    content: Buffer.from(content).toString('base64'),
    encoding: 'b64',
    permissions: mode,
    owner: owner ?? 'root:root',
  }));
  await ask(unixSocket(runtime.control), 'apply', { files: written }, { timeoutMs: applyTimeoutMs, signal });
}

/** Remembers which files an instance was given, beside its seed, which holds them all. */
export async function rememberFiles(runtime: RuntimeFiles, files: readonly GuestFile[]): Promise<void> {
  await writeWhole(notePath(runtime), digestOf(canonicalJson(files)));
}

/** Gives the digest of the files that an instance was given last. */
export async function appliedFiles(runtime: RuntimeFiles): Promise<string | undefined> {
  try {
    return await readFile(notePath(runtime), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function notePath(runtime: RuntimeFiles): string {
  return join(runtime.folder, 'files');
}
