import type { EventEmitter } from 'node:events';
import type { VerbKind } from './host.ts';

/** Watches for the user's wish to end; `signal` fires at the first. */
export type Interrupts = { readonly signal: AbortSignal; end(): void };

/** What is needed of a process to be interrupted. */
export type InterruptedProcess = Pick<EventEmitter, 'on' | 'off'> & {
  exit(code: number): void;
};

const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/**
 * Ends verbs that only read at once, and asks the others by a signal first; the second wish ends those at once too.
 *
 * The exit code is then 128 and the signal's number, as shells have it.
 *
 * @param hasTerminal - a standard stream is one. Without it a hang-up is passed over: Node takes back what `nohup`
 *   set before a program can see it, but `nohup` leaves no stream on a terminal
 */
export function watchInterrupts(
  process: InterruptedProcess,
  kind: VerbKind,
  { hasTerminal }: { readonly hasTerminal: boolean },
): Interrupts {
  const controller = new AbortController();
  const onSignal = (name: keyof typeof signalNumbers): void => {
    if (name === 'SIGHUP' && !hasTerminal) return;
    if (kind === 'reads' || controller.signal.aborted) process.exit(128 + signalNumbers[name]);
    else controller.abort();
  };
  const names = Object.keys(signalNumbers) as (keyof typeof signalNumbers)[];
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    end: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
