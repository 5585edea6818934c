import { lstat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EngineError } from './errors.ts';

/**
 * Makes sure that nobody but this user and root can put something else in the place of a folder, or of one above it.
 *
 * In a folder such as `/tmp` anybody may make a folder or a link of a name that we are about to use.
 *
 * @param path - it is there
 * @throws EngineError ROOT_REQUIRED naming what is not ours
 */
export async function requireOwnPath(path: string, userId: number): Promise<void> {
  const absolute = resolve(path);
  // in a user namespace root's files may seem to be somebody else's; in a chroot / may be anybody's
  const { uid: owner } = await lstat('/');
  for (let at = absolute; ; at = dirname(at)) {
    const { uid, mode } = await lstat(at);
    if (![userId, owner, 0].includes(uid)) throw foreign(at, `it belongs to the user ${uid}`);
    const isSticky = (mode & 0o1000) !== 0;
    const isLink = (mode & 0o170000) === 0o120000;
    if (!isLink && !isSticky && (mode & 0o002) !== 0) throw foreign(at, 'every user may change it');
    if (at === dirname(at)) return;
  }
}

function foreign(folder: string, why: string): EngineError {
  return new EngineError('ROOT_REQUIRED', `${folder} is not safe to use: ${why}`, {
    hint: 'Remove it, or name a folder of your own, by XDG_RUNTIME_DIR or --home.',
    details: { folder },
  });
}
