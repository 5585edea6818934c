import { readFileSync } from 'node:fs';

/** A process of this machine, told apart from every other one that ever had or will have its number. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Clock ticks between the machine's start and the process's. */
  readonly startTicks: number;
  /** Random, new at each start of the machine. */
  readonly bootId: string;
};

/** Gives the identity of a running process. @returns undefined when there is none of that number, or only its zombie */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const stat = readProcess(`/proc/${pid}/stat`);
  // the name in parentheses may hold spaces and parentheses itself, so fields are counted from its end
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields?.[0];
  const startTicks = Number(fields?.[19]);
  if (state === undefined || state === 'Z' || state === 'X' || !Number.isSafeInteger(startTicks))
    return undefined;
  return { pid, startTicks, bootId: currentBoot() };
}

/** Gives the identity of this process. */
export function currentProcess(): ProcessIdentity {
  return processIdentity(process.pid) ?? { pid: process.pid, startTicks: 0, bootId: currentBoot() };
}

/** Tells whether exactly this process still runs; a later process of the same number does not count. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = processIdentity(identity.pid);
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Gives the random name of this run of the machine. */
export function currentBoot(): string {
  return readProcess('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function readProcess(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined; // the process is gone
  }
}
