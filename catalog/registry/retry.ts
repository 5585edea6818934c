import { EngineError } from '../../engine/errors.ts';

/** What waiting needs; handed in, so that a test does not wait. */
export type Patience = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Waits; ends at once with the signal's reason when that fires. */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** How often something is tried. */
  readonly attempts: number;
};

const firstPauseMs = 250;
const longestPauseMs = 20_000;
/** A registry that wants to be left alone for longer is told to the user rather than waited for. */
const longestWaitMs = 120_000;

/** What one attempt gave: a result, or the wish to try again. */
export type Attempt<T> =
  | { readonly value: T }
  | { readonly failure: EngineError; readonly retryAfterMs?: number };

/**
 * Tries something until it gives a value, with longer and longer pauses that are spread at random.
 *
 * @returns the first value
 * @throws the last failure, or whatever an attempt throws
 * @source "Exponential backoff and jitter", full jitter (AWS architecture blog, 2015)
 */
export async function withRetries<T>(
  attempt: (count: number) => Promise<Attempt<T>>,
  patience: Patience,
  signal: AbortSignal,
): Promise<T> {
  for (let count = 0; ; count += 1) {
    throwIfStopped(signal);
    const outcome = await attempt(count);
    if ('value' in outcome) return outcome.value;
    const { failure, retryAfterMs = 0 } = outcome;
    if (count + 1 >= patience.attempts || retryAfterMs > longestWaitMs) throw failure;
    await pauseAfter(count, patience, signal, retryAfterMs);
  }
}

/**
 * Waits before the next attempt.
 *
 * @param count - failures before this one
 * @param leastMs - what the other side asked for
 */
export async function pauseAfter(
  count: number,
  patience: Patience,
  signal: AbortSignal,
  leastMs = 0,
): Promise<void> {
  const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** count);
  // half of it is certain: a server that just restarts shall get its first breath
  const pauseMs = ceiling / 2 + (patience.random() * ceiling) / 2;
  await patience.pause(Math.max(pauseMs, leastMs), signal).catch(() => throwIfStopped(signal));
}

/** Ends what the user no longer wants. @throws EngineError OPERATION_INTERRUPTED */
export function throwIfStopped(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new EngineError('OPERATION_INTERRUPTED', 'the transfer was stopped on request', {
    hint: 'Run the same command again to go on.',
  });
}

/** Reads `Retry-After`: seconds or a date. @returns milliseconds from now; undefined when absent or senseless */
export function readRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
