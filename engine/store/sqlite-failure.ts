import { EngineError } from '../errors.ts';

// primary result codes of sqlite3.h; an extended code carries its primary one in the low byte
const busy = 5;
const readOnly = 8;
const ioError = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;

/** Turns what node:sqlite throws into the failure that it means; gives every other error back as it is. */
export function sqliteFailure(cause: unknown, file: string): unknown {
  const code = resultCode(cause);
  const said = cause instanceof Error ? cause.message : String(cause);
  switch (code) {
    case full:
      return new EngineError('DISK_FULL', `no room to write the state ${file}`, {
        hint: 'Free some space and run the same command again.',
        cause,
      });
    case busy:
      return new EngineError('DEPLOYMENT_BUSY', `another process keeps the state ${file} locked`, {
        hint: 'Try again when it has finished.',
        cause,
      });
    case corrupt:
    case notADatabase:
    case ioError:
    case readOnly:
    case cannotOpen:
      return new EngineError('STATE_CORRUPT', `the state ${file} cannot be used: ${said}`, {
        hint: 'Check the disk and the owner of the file, or restore it from a backup.',
        cause,
      });
    default:
      return cause;
  }
}

function resultCode(cause: unknown): number | undefined {
  const code = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}
