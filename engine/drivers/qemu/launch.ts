import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { missingTool, toolPath } from '../../command.ts';
import { EngineError } from '../../errors.ts';
import { type ProcessIdentity, processIdentity } from '../../process-identity.ts';
import { systemCode } from '../../system-code.ts';
import { plainText } from './channel.ts';
import { fileSize, lastLines } from './console.ts';
import { machineState } from './monitor.ts';
import { endProcess, findProcesses, waitForEnd } from './processes.ts';
import { type Machine, qemuArguments } from './qemu-arguments.ts';

/** How a machine is started, beside what it is. */
export type Launch = {
  /** The command that goes into its network; without one it is a trial, which has no network and dies with this process. */
  readonly enter?: readonly string[];
  /** Its console's file, and the attendant that keeps it in bounds. */
  readonly log: { readonly attendant: string; readonly file: string };
  readonly signal: AbortSignal;
};

const logBytes = 8 * 2 ** 20;
const startTimeoutMs = 30_000;

/**
 * Starts a QEMU that outlives this process, and waits until its processors run.
 *
 * Its console and its own complaints go to the attendant, which ends when QEMU does.
 *
 * @throws EngineError INSTANCE_FAILED with the last of what QEMU said when it ends at once
 */
export async function startMachine(machine: Machine, launch: Launch): Promise<ProcessIdentity> {
  const { file, attendant } = launch.log;
  const loggedBefore = await fileSize(file);
  const keep = ['--file', file, '--size', String(logBytes), '--keep', '2'];
  const logger = spawnDetached([attendant, 'log', ...keep], ['pipe', 'ignore', 'ignore']);
  const enter = launch.enter ?? ['setpriv', '--pdeathsig', 'KILL', '--'];
  const command = [...enter, 'qemu-system-x86_64', ...qemuArguments(machine)];
  const guest = spawnDetached(command, ['ignore', logger.child.stdin, logger.child.stdin]);
  logger.child.stdin?.destroy(); // QEMU alone holds the pipe, so the log ends with it
  try {
    const identity = guest.child.pid === undefined ? undefined : processIdentity(guest.child.pid);
    if (identity !== undefined && (await untilRunning(machine, identity, launch.signal))) {
      const { qmp, control, exec } = machine.sockets;
      for (const socket of [qmp, control, ...exec]) await chmod(socket, 0o600);
      return identity;
    }
  } catch (error) {
    const identity = guest.child.pid === undefined ? undefined : processIdentity(guest.child.pid);
    if (identity !== undefined) await endProcess(identity, 0);
    throw error;
  }
  await endLog(file);
  if (guest.failure() === 'ENOENT') throw missingTool(enter[0] ?? 'qemu-system-x86_64');
  const said = (await fileSize(file)) === loggedBefore ? '' : await lastLines(file, 3);
  if (/failed to execute qemu-system-x86_64/.test(said)) throw missingTool('qemu-system-x86_64');
  // QEMU repeats the option that it cannot follow, which may fill all the room for its reason
  const reason = plainText(said.replaceAll(/-\w+ \{.*?\}: /g, ''));
  throw new EngineError(
    'INSTANCE_FAILED',
    `its virtual machine ended at once: ${reason || 'no reason given'}`,
  );
}

/** Waits a little for the end of a console's attendant, whose machine is gone, then ends it. */
export async function endLog(file: string): Promise<void> {
  for (const attendant of findProcesses((args) => args[1] === 'log' && args[3] === file))
    if (!(await waitForEnd(attendant, 2000))) await endProcess(attendant, 500);
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
