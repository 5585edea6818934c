import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkout, testHome } from './test-home.ts';

/** What a run of the program left. */
export type ProgramRun = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** A run of the program that goes on. */
export type RunningProgram = { readonly child: ChildProcess; readonly ended: Promise<ProgramRun> };

/** Starts the real program on the tests' home. */
export function startProgram(args: readonly string[], folder = checkout): RunningProgram {
  const program = join(checkout, 'cli/start.js');
  const child = spawn(process.execPath, [program, ...args, '--home', testHome], {
    cwd: folder,
    env: { ...process.env, XDG_CONFIG_HOME: join(testHome, 'config') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<ProgramRun>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs the real program on the tests' home, to its end. */
export async function runProgram(...args: readonly string[]): Promise<ProgramRun> {
  return await startProgram(args).ended;
}
