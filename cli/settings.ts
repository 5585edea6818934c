import { join, resolve } from 'node:path';
import { digestOf } from '../engine/digest.ts';

/** Where this user's Sheaf keeps its things. All are absolute folders that may not exist yet. */
export type Settings = {
  /** State and blobs. */
  readonly home: string;
  /** Sockets and process ids; short, for a socket's path has at most 107 bytes, and of this home alone. */
  readonly runtime: string;
  /** The key of the secrets, apart from what it opens. */
  readonly config: string;
};

/** Who runs the program. */
export type User = { readonly id: number; readonly home: string };

/**
 * Finds the folders from the environment and `--home`.
 *
 * Root's runtime folder is `/run/sheaf` whatever XDG_RUNTIME_DIR says: `/run/user/0` is emptied when root logs out,
 * and the machines must outlive that.
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  user: User,
  homeOption?: string,
): Settings {
  const home = resolve(
    homeOption ||
      environment['SHEAF_HOME'] ||
      join(environment['XDG_DATA_HOME'] || join(user.home, '.local', 'share'), 'sheaf'),
  );
  const runtimeRoot =
    user.id === 0
      ? '/run/sheaf'
      : environment['XDG_RUNTIME_DIR']
        ? join(environment['XDG_RUNTIME_DIR'], 'sheaf')
        : `/tmp/sheaf-${user.id}`;
  return {
    home,
    runtime: join(runtimeRoot, digestOf(home).slice('sha256:'.length, 'sha256:'.length + 8)),
    config: resolve(environment['XDG_CONFIG_HOME'] || join(user.home, '.config'), 'sheaf'),
  };
}
