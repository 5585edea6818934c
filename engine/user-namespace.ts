import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { isInstalled, runCommand } from './command.ts';
import { EngineError } from './errors.ts';

/** Who runs this program, as the system's files of subordinate ids name it. */
export type SystemUser = { readonly id: number; readonly name: string };

/** User and group ids beside their own that the system lends to a user, for namespaces. */
export type SubordinateIds = {
  readonly firstUser: number;
  readonly firstGroup: number;
  /** How many there are of each. */
  readonly count: number;
};

const trialTimeoutMs = 20_000; // of a trial that takes milliseconds

/** Why a user who is not root may not do something, and what lets them. */
export type Refusal = { readonly reason: string; readonly remedy: string };

/** Gives the user who runs this program; one whom the system does not list has its number for a name. */
export function currentUser(): SystemUser {
  const id = process.geteuid?.() ?? 0;
  try {
    return { id, name: userInfo().username };
  } catch {
    return { id, name: String(id) };
  }
}

/**
 * Finds the ids that the system lends to a user.
 *
 * @param files - texts of /etc/subuid and /etc/subgid; both go by the user's name or number
 * @returns the first range of each, cut to the shorter; undefined when one of them has none
 * @source subuid(5), subgid(5)
 */
export function subordinatesOf(
  user: SystemUser,
  files: { readonly users: string; readonly groups: string },
): SubordinateIds | undefined {
  const users = firstRange(user, files.users);
  const groups = firstRange(user, files.groups);
  if (users === undefined || groups === undefined) return undefined;
  return { firstUser: users.first, firstGroup: groups.first, count: Math.min(users.count, groups.count) };
}

function firstRange(
  user: SystemUser,
  text: string,
): { readonly first: number; readonly count: number } | undefined {
  for (const line of text.split('\n')) {
    const [owner, first, count] = line.trim().split(':');
    if (owner !== user.name && owner !== String(user.id)) continue;
    if (first === undefined || count === undefined || !/^[1-9]\d*$/.test(first) || !/^[1-9]\d*$/.test(count))
      continue;
    return { first: Number(first), count: Number(count) };
  }
  return undefined;
}

/** Writes the command that lends a user as many ids as Debian does, above all that are lent. */
function lendCommand({ name }: SystemUser, lent: string): string {
  const ends = lent.split('\n').map((line) => {
    const [, first, count] = line.split(':');
    return Number(first) + Number(count);
  });
  const first = Math.max(100_000, ...ends.filter((end) => Number.isSafeInteger(end)));
  const range = `${first}-${first + 65_535}`;
  return `usermod --add-subuids ${range} --add-subgids ${range} ${name}`;
}

/** Finds the ids that the system lends to a user and that can be used here, or tells what is missing. */
export async function findSubordinates(user: SystemUser): Promise<SubordinateIds | Refusal> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const [users, groups] = await Promise.all([read('/etc/subuid'), read('/etc/subgid')]);
  const found = subordinatesOf(user, { users, groups });
  if (found === undefined)
    return {
      reason: `/etc/subuid and /etc/subgid lend no ids to ${user.name}`,
      remedy: `As root: ${lendCommand(user, `${users}\n${groups}`)}`,
    };
  if (!(await isInstalled('newuidmap')) || !(await isInstalled('newgidmap')))
    return { reason: 'newuidmap is not installed', remedy: 'Install the Debian package uidmap.' };
  return found;
}

/**
 * Gives the options with which `unshare` makes a user namespace whose root is the caller.
 *
 * @param subordinates - the ids from 1 on inside; without them there is only root
 */
export function userNamespaceOptions(subordinates: SubordinateIds | undefined): readonly string[] {
  if (subordinates === undefined) return ['--user', '--map-root-user'];
  const { firstUser, firstGroup, count } = subordinates;
  return [
    ...['--user', '--map-root-user'],
    ...[`--map-users=${firstUser},1,${count}`, `--map-groups=${firstGroup},1,${count}`],
  ];
}

/**
 * Finds out whether this user may make user namespaces, by making one.
 *
 * @returns undefined when they may
 * @throws EngineError TOOL_MISSING, OPERATION_INTERRUPTED
 */
export async function userNamespaceRefusal(
  subordinates: SubordinateIds | undefined,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  try {
    // refused together with lent ids, unshare leaves a child behind that waits for ever (util-linux 2.38)
    for (const ids of subordinates === undefined ? [undefined] : [undefined, subordinates])
      await runCommand('unshare', [...userNamespaceOptions(ids), '--net', '--', 'true'], {
        signal,
        timeoutMs: trialTimeoutMs,
      });
    return undefined;
  } catch (error) {
    // too many namespaces are told in the words of a full disk (ENOSPC, user_namespaces(7))
    if (!(error instanceof EngineError) || !['TOOL_FAILED', 'DISK_FULL'].includes(error.code)) throw error;
    return explainRefusal(await readCircumstances(), error.message);
  }
}

/** What the kernel says about itself and this process, as far as user namespaces depend on it. */
export type Circumstances = {
  /** Texts of settings below /proc/sys; undefined where this kernel has no such one. */
  readonly maxUserNamespaces: string | undefined;
  readonly unprivilegedClone: string | undefined;
  readonly apparmorRestricts: string | undefined;
  /** Text of /proc/self/mountinfo. */
  readonly mounts: string;
  /** Text of /proc/self/status. */
  readonly status: string;
};

/** Names what keeps this user from making user namespaces, from the most certain to the least. */
export function explainRefusal(circumstances: Circumstances, said: string): Refusal {
  const { maxUserNamespaces, unprivilegedClone, apparmorRestricts, mounts, status } = circumstances;
  if (maxUserNamespaces?.trim() === '0')
    return refusal('they are switched off', 'sysctl -w user.max_user_namespaces=15000');
  if (unprivilegedClone?.trim() === '0')
    return refusal('they are kept for root', 'sysctl -w kernel.unprivileged_userns_clone=1');
  // a chroot is seldom a mount point itself; from inside there is no mount on / then
  if (mounts !== '' && !/^\S+ \S+ \S+ \S+ \/ /m.test(mounts)) return inChroot;
  if (apparmorRestricts?.trim() === '1')
    return refusal(
      'AppArmor keeps them for chosen programs',
      'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    );
  if (/No space left on device|ENOSPC/i.test(said))
    return refusal('there are too many already', 'sysctl -w user.max_user_namespaces=15000');
  if (/^Seccomp:\t2/m.test(status))
    return {
      reason: `${forbidden}: a seccomp filter forbids them, as Docker's does`,
      remedy: 'Run it outside of the container, or start that with --security-opt seccomp=unconfined.',
    };
  if (/Operation not permitted/i.test(said)) return inChroot;
  return { reason: `${forbidden}: ${said}`, remedy: 'Run the same command as root.' };
}

const forbidden = 'without root it takes user namespaces, and this user may make none';

const inChroot: Refusal = {
  reason: `${forbidden}: the kernel refuses them inside of a chroot`,
  remedy: 'Run it outside of the chroot, or as root.',
};

function refusal(why: string, command: string): Refusal {
  return { reason: `${forbidden}: ${why}`, remedy: `As root: ${command}` };
}

async function readCircumstances(): Promise<Circumstances> {
  const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);
  return {
    maxUserNamespaces: await read('/proc/sys/user/max_user_namespaces'),
    unprivilegedClone: await read('/proc/sys/kernel/unprivileged_userns_clone'),
    apparmorRestricts: await read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    mounts: (await read('/proc/self/mountinfo')) ?? '',
    status: (await read('/proc/self/status')) ?? '',
  };
}
