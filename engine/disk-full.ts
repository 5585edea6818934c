import { EngineError } from './errors.ts';
import { systemCode } from './system-code.ts';

/** Tells whether a system call failed because the file system, or the user's share of it, has no room left. */
export function isDiskFull(cause: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(systemCode(cause) ?? '');
}

/** Gives DISK_FULL, naming the folder, in the place of the system's own error; any other failure comes back as it is. */
export function orDiskFull(cause: unknown, folder: string): unknown {
  if (!isDiskFull(cause)) return cause;
  return new EngineError('DISK_FULL', `no room is left in ${folder}`, {
    hint: 'Free some space and run the same command again.',
    details: { folder },
    cause,
  });
}
