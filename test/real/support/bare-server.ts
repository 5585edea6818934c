import { cp, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import pLimit from 'p-limit';
import { runCommand } from '../../../engine/command.ts';

/**
 * Makes a command that runs others as on a server with nothing but some Debian packages, what these need, and the essential
 * ones: all other programs are hidden, and the network is a loopback without any route.
 *
 * @param folder - of the test; takes copies of the programs
 */
export async function bareServer(folder: string, packages: readonly string[]): Promise<readonly string[]> {
  const present = await closureOf(packages);
  const { stdout } = await runCommand('dpkg-query', ['-L', ...present]);
  const programs = new Set(stdout.split('\n').filter((path) => /^(?:\/usr)?\/s?bin\/[^/]+$/.test(path)));
  const limit = pLimit(16);
  for (const place of ['bin', 'sbin']) await mkdir(join(folder, place), { recursive: true });
  await Promise.all(
    [...programs].map((path) =>
      limit(async () => {
        const place = path.includes('/sbin/') ? 'sbin' : 'bin';
        const copy = join(folder, place, basename(path));
        // links among them stay links; what a package has diverted is not there
        await cp(join('/usr', place, basename(path)), copy, { verbatimSymlinks: true }).catch(
          () => undefined,
        );
      }),
    ),
  );
  const script = `set -eu
    ip link set lo up; test -z "$(ip route)"
    mount --make-rprivate /
    for hidden in /usr/local /usr/lib/go*; do test ! -d "$hidden" || mount -t tmpfs none "$hidden"; done
    mount --bind "$0/sbin" /usr/sbin; mount --bind "$0/bin" /usr/bin
    export PATH=/usr/sbin:/usr/bin
    exec "$@"`;
  return ['unshare', '--mount', '--net', 'sh', '-c', script, folder];
}

/** Follows packages to all that they depend on, as far as it is installed, and adds the essential ones. */
async function closureOf(packages: readonly string[]): Promise<readonly string[]> {
  const fields = ['binary:Package', 'Essential', 'Pre-Depends', 'Depends'].map((name) => `$\{${name}}`);
  const { stdout } = await runCommand('dpkg-query', ['-W', '-f', `${fields.join('\\t')}\\n`]);
  const needs = new Map<string, readonly string[]>();
  const found = new Set<string>();
  for (const line of stdout.trim().split('\n')) {
    const [named = '', essential = '', ...depends] = line.split('\t');
    const name = named.replace(/:.*/, '');
    needs.set(
      name,
      depends.flatMap((each) => each.split(/[,|]/)).map((each) => each.trim().replace(/[ :].*/, '')),
    );
    if (essential === 'yes') found.add(name);
  }
  for (const name of packages) found.add(name);
  // a set also visits what is added while it is walked
  for (const name of found) for (const next of needs.get(name) ?? []) if (needs.has(next)) found.add(next);
  return [...found].filter((name) => needs.has(name));
}
