import { ask } from './channel.ts';
import type { Connect } from './line-socket.ts';

// hooks have a time of their own in the guest, at most a few minutes; it may also be slow to answer
const answerTimeoutMs = 330_000;

/** Has a supervisor hold its instance's data still. @throws EngineError EXEC_FAILED when it cannot, INSTANCE_SILENT */
export async function quiesceGuest(connect: Connect, holdMs: number, signal: AbortSignal): Promise<void> {
  await ask(connect, 'quiesce', { holdMs }, { timeoutMs: answerTimeoutMs, signal });
}

/** Lets an instance's data go on. @returns whether they were held until now, as far as a guest can be believed */
export async function resumeGuest(connect: Connect, signal: AbortSignal): Promise<boolean> {
  return (await ask(connect, 'resume', {}, { timeoutMs: answerTimeoutMs, signal }))['held'] === true;
}
