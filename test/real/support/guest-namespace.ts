import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../../engine/command.ts';
import { namespaceName, tapName } from '../../../engine/drivers/qemu/marks.ts';
import type { GuestOrder } from './pretend-guest.ts';

/** A network namespace that stands in for a guest, behind a device of the name that the guest's tap would have. */
export type PretendGuest = {
  /** Lets the program inside listen or call. */
  readonly order: (order: GuestOrder) => Promise<string>;
  /** Runs a command in the namespace, such as one that forges an address. */
  readonly run: (...command: string[]) => Promise<string>;
  readonly close: () => Promise<void>;
};

/** Makes a pretend guest. Its device on the host's side is down, as a new tap is. */
export async function openPretendGuest(
  deployment: string,
  member: { readonly instance: string; readonly address: string; readonly mac: string },
  gateway: string,
): Promise<PretendGuest> {
  const tap = tapName(member.instance);
  const name = `sheaf-pretend-${deployment}-${tap}`;
  const run = async (...command: string[]): Promise<string> =>
    (await runCommand('nsenter', [`--net=/run/netns/${name}`, '--', ...command])).stdout;
  await runCommand('ip', ['netns', 'add', name]);
  const host = ['link', 'add', tap, 'netns', namespaceName(deployment), 'type', 'veth'];
  await runCommand('ip', [...host, 'peer', 'name', 'lan', 'address', member.mac, 'netns', name]);
  await run('ip', 'link', 'set', 'lan', 'up');
  await run('ip', 'link', 'set', 'lo', 'up');
  await run('ip', 'address', 'add', `${member.address}/24`, 'dev', 'lan');
  await run('ip', 'route', 'add', 'default', 'via', gateway);

  const program = fileURLToPath(new URL('pretend-guest.ts', import.meta.url));
  const child = spawn('nsenter', [`--net=/run/netns/${name}`, '--', process.execPath, program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const order = async (what: GuestOrder): Promise<string> => {
    child.stdin.write(`${JSON.stringify(what)}\n`);
    const { value } = await answers.next();
    return JSON.parse(String(value)) as string;
  };
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await runCommand('ip', ['netns', 'delete', name]);
  };
  return { order, run, close };
}
