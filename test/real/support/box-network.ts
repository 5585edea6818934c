import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../../engine/command.ts';

/** One switch and the network namespaces on it. */
export type BoxNetwork = {
  /** Makes a namespace with addresses of the /24. @returns its name */
  readonly join: (name: string, ...addresses: readonly string[]) => Promise<string>;
  readonly close: () => Promise<void>;
};

/** What a server answered; `status` is 0 when it did not. */
export type Page = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Makes an empty network. */
export async function openBoxNetwork(): Promise<BoxNetwork> {
  const id = `box${randomBytes(3).toString('hex')}`;
  const made = [`${id}-switch`];
  const ip = (...args: string[]): Promise<unknown> => runCommand('ip', args);
  await ip('netns', 'add', `${id}-switch`);
  await ip('-n', `${id}-switch`, 'link', 'add', 'switch', 'type', 'bridge');
  await ip('-n', `${id}-switch`, 'link', 'set', 'switch', 'up');
  return {
    async join(name, ...addresses) {
      const space = `${id}-${name}`;
      const port = `p${made.length}`;
      await ip('netns', 'add', space);
      made.push(space);
      await ip(
        '-n',
        `${id}-switch`,
        'link',
        'add',
        port,
        'type',
        'veth',
        'peer',
        'name',
        'lan',
        'netns',
        space,
      );
      await ip('-n', `${id}-switch`, 'link', 'set', port, 'master', 'switch', 'up');
      await ip('-n', space, 'link', 'set', 'lo', 'up');
      await ip('-n', space, 'link', 'set', 'lan', 'up');
      for (const address of addresses) await ip('-n', space, 'address', 'add', `${address}/24`, 'dev', 'lan');
      return space;
    },
    async close() {
      for (const space of made) await ip('netns', 'delete', space);
    },
  };
}

/** Asks for a page from inside a namespace. With a form it is a POST. */
export async function fetchPage(
  space: string,
  url: string,
  options: {
    readonly from?: string;
    /** Whether a header tells the address in `from`, as an endpoint's does. */
    readonly throughDoor?: boolean;
    readonly form?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<Page> {
  const program = fileURLToPath(new URL('fetch-page.ts', import.meta.url));
  const { stdout } = await runCommand('nsenter', [
    ...[`--net=/run/netns/${space}`, '--', process.execPath, program],
    JSON.stringify({ url, ...options }),
  ]);
  return JSON.parse(stdout) as Page;
}
