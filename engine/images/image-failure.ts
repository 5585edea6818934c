import { EngineError } from '../errors.ts';

/**
 * Gives IMAGE_FAILED, saying what was done and how the program for it ended, in the place of TOOL_FAILED.
 *
 * Any other failure comes back as it is: a full disk or a missing tool says enough by itself.
 *
 * @param act - what failed, such as `the set-up script of php@1.0.0`
 */
export function orImageFailed(cause: unknown, act: string, hint: string): unknown {
  if (!(cause instanceof EngineError) || cause.code !== 'TOOL_FAILED') return cause;
  // the tool that is named first only holds the one that matters; its arguments would say nothing to anybody
  return new EngineError('IMAGE_FAILED', cause.message.replace(/^\S+/, act), { hint, cause });
}
