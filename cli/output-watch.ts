import { EngineError, exitCodeOf } from '../engine/errors.ts';
import { asEngineError, formatError } from './output/error-text.ts';
import { chooseStyle } from './output/style.ts';

/** What became of the standard streams. */
export type OutputWatch = {
  /** While true, a verb goes on without its output: what changes the world is not left half-way for it. */
  goesOnWithout: boolean;
  readonly isOpen: boolean;
  /** Why standard output could not be written, when it was not just closed by its reader. */
  readonly failure: EngineError | undefined;
};

/** Watches the standard streams: a reader that went away ends the process quietly, a full disk ends it with a word about it. */
export function watchOutput(process: NodeJS.Process): OutputWatch {
  const watch: { goesOnWithout: boolean; isOpen: boolean; failure: EngineError | undefined } = {
    goesOnWithout: false,
    isOpen: true,
    failure: undefined,
  };
  process.stderr.on('error', () => undefined); // there is nowhere left to say it
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    watch.isOpen = false;
    if (error.code !== 'EPIPE') watch.failure ??= outputFailure(error);
    if (watch.goesOnWithout) return;
    if (watch.failure)
      process.stderr.write(
        `${formatError(watch.failure, chooseStyle(process.env, process.stderr.isTTY === true))}\n`,
      );
    process.exit(watch.failure ? exitCodeOf(watch.failure) : 0);
  });
  return watch;
}

function outputFailure(error: NodeJS.ErrnoException): EngineError {
  if (error.code !== 'ENOSPC') return asEngineError(error);
  return new EngineError('DISK_FULL', 'standard output could not be written: its file system is full', {
    cause: error,
  });
}
