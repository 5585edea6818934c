import { EngineError } from './errors.ts';
import { systemCode } from './system-code.ts';

/** Gives ROOT_REQUIRED, naming the folder, for a write that the system forbids; any other failure comes back as it is. */
export function orNotWritable(cause: unknown, folder: string): unknown {
  const code = systemCode(cause);
  if (code === undefined || !['EACCES', 'EPERM', 'EROFS'].includes(code)) return cause;
  const why = code === 'EROFS' ? 'its file system is read-only' : 'this user may not';
  return new EngineError('ROOT_REQUIRED', `${folder} cannot be written: ${why}`, {
    hint: 'Use a folder of your own, or run the same command as its owner or with sudo.',
    details: { folder },
    cause,
  });
}
