import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import pLimit from 'p-limit';

/** The checkout's root folder. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

// Ava starts all tests of a file at once; as many processes would take a small machine's memory.
const limit = pLimit(3);

/** What a run of the program left. */
export type CliRun = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Where and how the program is run. */
export type CliOptions = {
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Standard input; closed when absent. */
  readonly input?: string;
  /** Runs it on a pseudo terminal of this width; standard error then comes with standard output. */
  readonly terminalColumns?: number;
};

/** Makes an empty folder that goes when the test ends. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-cli-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the real program in an environment that holds nothing of the user's. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-cli-'));
  try {
    return await limit(() => spawnCli(home, args, options));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function spawnCli(home: string, args: readonly string[], options: CliOptions): Promise<CliRun> {
  const program = [process.execPath, join(root, 'cli/start.js'), ...args];
  const quoted = program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const [command = '', ...rest] =
    options.terminalColumns === undefined
      ? program
      : ['script', '-qec', `stty cols ${options.terminalColumns} rows 24; ${quoted}`, '/dev/null'];
  const child = spawn(command, rest, {
    cwd: options.folder ?? root,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      LANG: 'C.UTF-8',
      TERM: 'xterm-256color',
      ...options.environment,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}
