import { EngineError } from '../../errors.ts';
import type { InstanceState } from '../../model/step.ts';
import type { ProcessIdentity } from '../../process-identity.ts';
import { ask } from '../channel.ts';
import type { RuntimeFiles } from './layout.ts';
import { stopTimeoutMs } from './machine.ts';
import { pressPowerButton } from './monitor.ts';
import { endProcess, waitForEnd } from './processes.ts';
import { unixSocket } from './unix-socket.ts';

const requestTimeoutMs = 5000;
const forceAfterMs = 10_000;

/**
 * Stops a machine: asks its supervisor or presses its power button, then asks QEMU, then forces it. Each wait is bounded.
 *
 * A guest may refuse, so what it answers decides only how long it is waited for.
 *
 * @throws EngineError OPERATION_INTERRUPTED when the signal fires; the machine may then be half stopped
 */
export async function stopMachine(
  machine: ProcessIdentity,
  files: RuntimeFiles,
  state: InstanceState | undefined,
  signal: AbortSignal,
): Promise<void> {
  const timeoutMs = state === undefined ? forceAfterMs : stopTimeoutMs(state);
  if (await accepted(files, state?.boot !== undefined, timeoutMs, signal))
    await waitForEnd(machine, timeoutMs + forceAfterMs, signal);
  if (signal.aborted)
    throw new EngineError('OPERATION_INTERRUPTED', 'stopping a machine was interrupted on request');
  await endProcess(machine, forceAfterMs); // at SIGTERM QEMU closes its disks in good order
}

/** Asks the supervisor; where there is none, presses the machine's power button. */
async function accepted(
  files: RuntimeFiles,
  hasButton: boolean,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    if (hasButton) await pressPowerButton(files.qmp, { timeoutMs: requestTimeoutMs, signal });
    else await ask(unixSocket(files.control), 'stop', { timeoutMs }, { timeoutMs: requestTimeoutMs, signal });
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}
