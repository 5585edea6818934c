import { isDiskFull, orDiskFull } from './disk-full.ts';
import { EngineError } from './errors.ts';
import { orNotWritable } from './not-writable.ts';
import { systemCode } from './system-code.ts';

/** What the system says of a file, in words that go on a sentence. A missing file is not among them: whoever needs one looks for it. */
const refusals: Readonly<Record<string, string>> = {
  EBUSY: 'is in use',
  EIO: 'cannot be read or written: its disk fails',
  EISDIR: 'is a folder, not a file',
  ELOOP: 'is a symbolic link, which is not followed there',
  EMFILE: 'cannot be opened: this process has too many files open',
  ENAMETOOLONG: 'has a longer name than its file system takes',
  ENFILE: 'cannot be opened: this machine has too many files open',
  ENODEV: 'is a device that is not there',
  ENOTDIR: 'lies below what is not a folder, or is none itself',
  ENOTEMPTY: 'is a folder that holds something',
  ENXIO: 'is a socket or a device, not a file',
};

/**
 * Gives the coded error for what the system refused to do with a file.
 *
 * @returns DISK_FULL, ROOT_REQUIRED or FILE_UNUSABLE; undefined when the failure is of another kind
 */
export function systemFailure(cause: unknown): EngineError | undefined {
  const path = pathOf(cause);
  if (path === undefined) return undefined;
  const known = isDiskFull(cause) ? orDiskFull(cause, path) : orNotWritable(cause, path);
  if (known instanceof EngineError) return known;
  const refusal = refusals[systemCode(cause) ?? ''];
  if (refusal === undefined) return undefined;
  return new EngineError('FILE_UNUSABLE', `${path} ${refusal}`, {
    hint: 'Look at what lies there; put it right or away, then run the same command again.',
    details: { path, system: systemCode(cause) },
    cause,
  });
}

/** The file of a failed system call; of two, such as a new name, the second. */
function pathOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { dest, path } = cause as { readonly dest?: unknown; readonly path?: unknown };
  if (typeof dest === 'string') return dest;
  return typeof path === 'string' ? path : undefined;
}
