import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Host } from '../host.ts';

/** Asks for a passphrase, showing nothing of it; undefined without a terminal, or when nothing is given. */
export async function askPassphrase(
  host: Pick<Host, 'stdin' | 'stderr'>,
  question = 'Passphrase of the key: ',
): Promise<string | undefined> {
  if (host.stdin.isTTY !== true || host.stderr.isTTY !== true) return undefined;
  host.stderr.write(question);
  const silent = new Writable({ write: (_, __, done) => done() });
  const dialog = createInterface({ input: host.stdin, output: silent, terminal: true });
  const ended = new Promise<string>((resolve) => {
    dialog.once('close', () => resolve(''));
    dialog.once('SIGINT', () => resolve(''));
  });
  const answer = await Promise.race([dialog.question(''), ended]);
  dialog.close();
  host.stderr.write('\n');
  return answer === '' ? undefined : answer;
}
