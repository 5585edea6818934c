import { chmod, chown } from 'node:fs/promises';
import { userIdOf } from './marks.ts';

/** Files of ours that a script without rights may use, each by the variable in which it finds the path. */
export type LentFiles = Readonly<Record<string, { readonly path: string; readonly isWritable: boolean }>>;

/**
 * Gives the command that runs a script on what somebody else has written: a guest's disk, a bundle's layer.
 *
 * The programs that read such things are large and were not written for that. Root lets them run as a user to whom nothing
 * but the lent files belongs, without rights and network, and ends with them whatever they have started. That user may
 * not enter our folders and finds the files by their descriptors. Anybody else has no user to become and stays who they are.
 *
 * @param files - a writable one belongs to that user from now on; a kill in between leaves a read-only one ours
 * @param script - for `sh`
 */
export async function withoutRights(files: LentFiles, script: string): Promise<readonly string[]> {
  const lent = Object.entries(files);
  const paths = lent.map(([, { path }]) => path);
  const open = lent.map(([name, { isWritable }], index) => {
    const descriptor = index + 3;
    return `exec ${descriptor}${isWritable ? '<>' : '<'}"$1"; shift; export ${name}=/proc/self/fd/${descriptor};`;
  });
  const run = ['sh', '-c', `ulimit -c 0; ${script}`];
  const enter = (way: string): readonly string[] => ['sh', '-eu', '-c', `${open.join(' ')} exec ${way}"$@"`];
  if (process.geteuid?.() !== 0) return [...enter(''), 'sh', ...paths, ...run];
  const user = userIdOf('disks', paths.join('\n'));
  for (const { path, isWritable } of Object.values(files)) {
    await chown(path, isWritable ? user : 0, user);
    if (!isWritable) await chmod(path, 0o640);
  }
  return [
    ...enter('unshare --net --ipc --pid --fork --kill-child=KILL -- '),
    ...['sh', ...paths],
    ...['setpriv', '--reuid', String(user), '--regid', String(user), '--clear-groups'],
    ...['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--', ...run],
  ];
}

/** Takes a file back that {@link withoutRights} lent to be written. */
export async function takeBack(path: string): Promise<void> {
  if (process.geteuid?.() === 0) await chown(path, 0, 0);
}
