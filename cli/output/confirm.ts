import { createInterface } from 'node:readline/promises';
import type { Host } from '../host.ts';

/** Asks a question on the terminal. Only `y` and `yes` mean yes; an interrupt or the end of the input means no. */
export async function confirm(host: Host, question: string): Promise<boolean> {
  const dialog = createInterface({ input: host.stdin, output: host.stdout });
  const ended = new Promise<string>((resolve) => {
    dialog.once('close', () => resolve(''));
    // In a dialog the terminal hands Ctrl-C to us as a key, not as a signal.
    dialog.once('SIGINT', () => resolve(''));
  });
  const answer = await Promise.race([dialog.question(`${question} [y/N] `), ended]);
  dialog.close();
  return /^y(es)?$/i.test(answer.trim());
}
