import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessIdentity, processIdentity } from '../../process-identity.ts';
import { systemCode } from '../../system-code.ts';
import { firstUserId } from './marks.ts';
import type { Namespace } from './namespaces.ts';

/**
 * Finds the processes of this machine whose command line a predicate accepts.
 *
 * Marks in command lines find what was started even when the starter was killed before it could write anything down.
 * Anybody can write such a command line, so only processes count that we started, or that run under an object's own user.
 *
 * @param user - the object's, when there is but one
 */
export function findProcesses(
  accepts: (args: readonly string[]) => boolean,
  user?: number,
): readonly ProcessIdentity[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const identity =
        accepts(commandLine(name)) && isOurs(name, user) ? processIdentity(Number(name)) : undefined;
      return identity === undefined ? [] : [identity];
    });
}

/** Tells whether a known process runs and is one that {@link findProcesses} would find; looks at nothing else of the machine. */
export function isStill(
  identity: ProcessIdentity,
  accepts: (args: readonly string[]) => boolean,
  user?: number,
): boolean {
  const pid = String(identity.pid);
  return isAlive(identity) && accepts(commandLine(pid)) && isOurs(pid, user);
}

/** Sends a signal to exactly this process. @returns whether it was there */
function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
    throw error;
  }
}

/** Waits for a process to end. @returns whether it did within the time */
export async function waitForEnd(
  identity: ProcessIdentity,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (let pauseMs = 5; isAlive(identity); pauseMs = Math.min(pauseMs * 2, 100)) {
    if (Date.now() >= deadline || signal?.aborted) return false;
    await delay(pauseMs);
  }
  return true;
}

/** Ends a process: asks first, and forces it after the grace. Returns when it is gone. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (graceMs > 0 && signalProcess(identity, 'SIGTERM') && (await waitForEnd(identity, graceMs))) return;
  signalProcess(identity, 'SIGKILL');
  await waitForEnd(identity, 10_000);
}

/** Tells whether a process lives in a network namespace; in one that is not there lives nobody. */
export function isInNamespace(identity: ProcessIdentity, namespace: Namespace | undefined): boolean {
  if (namespace === undefined) return false;
  try {
    const inode = /\[(\d+)\]/.exec(readlinkSync(`/proc/${identity.pid}/ns/net`))?.[1];
    return inode !== undefined && Number(inode) === statSync(namespace.path).ino;
  } catch {
    return false; // either of them is gone
  }
}

/** Gives the milliseconds since a process began, to about ten. */
export function ageMs(identity: ProcessIdentity): number {
  const uptime = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
  return uptime * 1000 - identity.startTicks * (1000 / ticksPerSecond);
}

/** Gives the time at which this machine was started, in milliseconds since 1970. */
export async function bootTime(): Promise<number | null> {
  const seconds = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

// USER_HZ is 100 on every architecture that Linux shows to user space
const ticksPerSecond = 100;

/**
 * Of root, the real user counts: a program with the set-user-id bit runs as root for whoever started it. Others own what
 * they may trace: processes of their own, set-user-id ones left out, and all in their user namespaces.
 */
function isOurs(pid: string, user: number | undefined): boolean {
  if (process.geteuid?.() !== 0) return mayTrace(pid);
  const [, text] = /^Uid:\t(\d+)/m.exec(readProcess(pid, 'status')) ?? [];
  if (text === undefined) return false;
  const real = Number(text);
  return real === process.getuid?.() || (user === undefined ? real >= firstUserId : real === user);
}

function mayTrace(pid: string): boolean {
  try {
    readlinkSync(`/proc/${pid}/ns/user`); // the kernel asks for the right to trace (ptrace(2), access mode checking)
    return true;
  } catch {
    return false; // it may have ended, too
  }
}

function commandLine(pid: string): readonly string[] {
  return readProcess(pid, 'cmdline').split('\0');
}

/** Reads a file of a process; empty when it ended meanwhile. */
function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(systemCode(error) ?? '')) return '';
    throw error;
  }
}
