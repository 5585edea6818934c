import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { missingTool, toolPath } from '../../command.ts';
import { EngineError } from '../../errors.ts';
import { type ProcessIdentity, processIdentity } from '../../process-identity.ts';
import { systemCode } from '../../system-code.ts';
import { plainText } from '../channel.ts';
import { type Console, fileSize, lastLines } from './console.ts';
import type { Groups } from './control-groups.ts';
import { machineState } from './monitor.ts';
import { endProcess, findProcesses, waitForEnd } from './processes.ts';
import { type Machine, qemuArguments, qemuFiles } from './qemu-arguments.ts';

/** How a machine is started, beside what it is. */
export type Launch = {
  /** The kit's program that starts it and keeps its console in bounds. */
  readonly attendant: string;
  readonly console: Console;
  /** The command that goes into the network of its tap; without one it is a trial, which has none and dies with this process. */
  readonly enter?: readonly string[];
  /** Its control groups; where they cannot be made it is not limited. */
  readonly groups?: Groups;
  readonly signal: AbortSignal;
};

const logBytes = 8 * 2 ** 20;
const startTimeoutMs = 30_000;
const answerLimit = 4096;
/** After so much of the processors' time a guest is booted, and held to its share. */
const bootCpuMs = { kvm: 2000, tcg: 4000 };
const bootMs = 30_000;
/** Its threads: one a processor, up to 64 for its disks, and its own. */
const threadLimit = 256;

/**
 * Starts a QEMU that outlives this process, and waits until its processors run.
 *
 * The attendant starts it in namespaces of its own and stays beside it; see kit/internal/confine.
 *
 * @throws EngineError INSTANCE_FAILED with the last of what QEMU said when it ends at once
 */
export async function startMachine(machine: Machine, launch: Launch): Promise<ProcessIdentity> {
  const { file } = launch.console;
  const loggedBefore = await fileSize(file);
  const answer = await askAttendant(machine, launch);
  const identity = answer.pid === undefined ? undefined : processIdentity(answer.pid);
  try {
    if (identity !== undefined && (await untilRunning(machine, identity, launch.signal))) return identity;
  } catch (error) {
    if (identity !== undefined) await endProcess(identity, 0);
    throw error;
  }
  await endConsole(launch.console);
  const logged = (await fileSize(file)) === loggedBefore ? '' : await lastLines(file, 3);
  const said = logged || (answer.refusal ?? '');
  if (/failed to execute qemu-system-x86_64/.test(said)) throw missingTool('qemu-system-x86_64');
  // QEMU repeats the option that it cannot follow, which may fill all the room for its reason
  const reason = plainText(said.replaceAll(/-\w+ \{.*?\}: /g, ''));
  throw new EngineError(
    'INSTANCE_FAILED',
    `its virtual machine ended at once: ${reason || 'no reason given'}`,
  );
}

/** Waits a little for the end of a console's attendant, whose machine is gone, then ends it. */
export async function endConsole({ folder, user }: Console): Promise<void> {
  const isAttendant = (args: readonly string[]): boolean => args[1] === 'machine' && args[3] === folder;
  for (const attendant of findProcesses(isAttendant, user))
    if (!(await waitForEnd(attendant, 2000))) await endProcess(attendant, 500);
}

/** What an attendant answers: the number of the machine's process, or why there is none. */
type Answer = { readonly pid?: number; readonly refusal?: string };

async function askAttendant(machine: Machine, launch: Launch): Promise<Answer> {
  const { folder, user } = launch.console;
  const command = [
    ...(launch.enter ?? ['setpriv', '--pdeathsig', 'KILL', '--']),
    ...[launch.attendant, 'machine', '--console', folder, '--size', String(logBytes), '--keep', '2'],
    ...(user === undefined ? [] : ['--uid', String(user)]),
  ];
  const { child, failure } = spawnDetached(command, ['pipe', 'pipe', 'ignore']);
  child.stdin?.end(JSON.stringify(description(machine, launch)));
  const line = child.stdout === null ? '' : await firstLine(child.stdout, startTimeoutMs, launch.signal);
  child.stdout?.destroy();
  if (failure() === 'ENOENT') throw missingTool(command[0] ?? '');
  return readAnswer(line);
}

/** Describes a machine as kit/internal/confine reads it. */
function description(machine: Machine, { groups }: Launch): Record<string, unknown> {
  const { user, network, disks } = machine;
  const written = disks.filter(({ isReadOnly }) => !isReadOnly);
  const sizes = written.flatMap(({ sizeBytes }) => sizeBytes ?? []);
  return {
    command: ['qemu-system-x86_64', ...qemuArguments(machine)],
    files: qemuFiles(machine),
    groups: groups?.joins ?? [],
    ...(groups?.cpu && { boot: { ...groups.cpu, cpuMs: bootCpuMs[machine.accelerator], wallMs: bootMs } }),
    ...(network && { tap: network.tap }),
    ...(user !== undefined && { user, threads: threadLimit }),
    ...(sizes.length === written.length && { fileBytes: Math.max(0, ...sizes.map(largestFile)) }),
  };
}

/** Gives how long the qcow2 file of a disk can become: its tables take a four-thousandth. */
function largestFile(diskBytes: number): number {
  return diskBytes + Math.ceil(diskBytes / 1024) + 16 * 2 ** 20;
}

function readAnswer(line: string): Answer {
  try {
    const answer = JSON.parse(line) as { pid?: number; error?: { message: string } };
    if (typeof answer.pid === 'number') return { pid: answer.pid };
    return { refusal: answer.error?.message ?? line };
  } catch {
    return { refusal: line };
  }
}

/** Waits for the first line that an attendant says; empty when it says none in time, or the signal fires. */
export async function firstLine(output: Readable, timeoutMs: number, signal: AbortSignal): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  const finish = (): void => resolve(text.split('\n')[0] ?? '');
  const timer = setTimeout(finish, timeoutMs);
  signal.addEventListener('abort', finish, { once: true });
  output.on('data', (chunk: Buffer) => {
    text = `${text}${chunk}`.slice(0, answerLimit);
    if (text.includes('\n')) finish();
  });
  output.on('close', finish);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', finish);
  }
}

/** A program that was started to outlive us. */
export type Detached = {
  readonly child: ChildProcess;
  /** The system's code when it could not be started at all. */
  readonly failure: () => string | undefined;
};

/** Starts a program in a session of its own; of what this program has opened it inherits only what it is given. */
export function spawnDetached(command: readonly string[], stdio: StdioOptions): Detached {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: '/',
    env: { PATH: toolPath(), LC_ALL: 'C.UTF-8' },
    stdio,
    detached: true,
  });
  let failure: string | undefined;
  child.on('error', (error) => {
    failure = systemCode(error) ?? 'UNKNOWN';
  });
  child.stdin?.on('error', () => undefined); // it may end before it has read anything
  child.unref();
  return { child, failure: () => failure };
}

async function untilRunning(
  machine: Machine,
  identity: ProcessIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + startTimeoutMs;
  while (!(await waitForEnd(identity, 0))) {
    if (signal.aborted)
      throw new EngineError('OPERATION_INTERRUPTED', 'starting a machine was stopped on request');
    if (Date.now() > deadline)
      throw new EngineError(
        'INSTANCE_FAILED',
        `its virtual machine did not start within ${startTimeoutMs} ms`,
      );
    try {
      if ((await machineState(machine.sockets.qmp, { timeoutMs: 5000, signal })) === 'running') return true;
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'INSTANCE_SILENT') throw error;
    }
    await delay(25); // the monitor's socket appears when QEMU gets to it
  }
  return false;
}
