import type { ExecRequest } from '../driver.ts';
import { executeOver } from '../guest-exec.ts';
import { claimOne } from './claim.ts';
import type { RuntimeFiles } from './layout.ts';
import { unixSocket } from './unix-socket.ts';

const claimTimeoutMs = 10_000;

/**
 * Runs a command in an instance, on one of the ports that serve one client each, and gives its exit code.
 *
 * @throws EngineError as {@link executeOver}
 */
export async function execute(files: RuntimeFiles, request: ExecRequest): Promise<number> {
  const claim = await claimOne(files.exec, { timeoutMs: claimTimeoutMs, signal: request.signal });
  try {
    return await executeOver(unixSocket(claim.socket), request);
  } finally {
    await claim.release();
  }
}
