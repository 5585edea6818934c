import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import { type ProcessIdentity, processIdentity } from '../../process-identity.ts';
import { type SubordinateIds, userNamespaceOptions } from '../../user-namespace.ts';
import { plainText } from '../channel.ts';
import { spawnDetached } from './launch.ts';
import { namespaceName, shortHash } from './marks.ts';
import type { Namespace, Namespaces } from './namespaces.ts';
import { endProcess, findProcesses, waitForEnd } from './processes.ts';

const startTimeoutMs = 10_000;

/**
 * Opens the namespaces of a user who is not root: of each deployment, a process holds a user namespace and in it a network.
 *
 * The holder does nothing and needs no file of ours. It is found by its name among the processes that this user owns, so
 * that a killed starter leaves none behind unfound. Networks of different deployments have different user namespaces:
 * rights over one are none over another.
 *
 * @param subordinates - lent ids, as whom machines go on; without them all have the user's own
 */
export function openHeldNamespaces(subordinates: SubordinateIds | undefined): Namespaces {
  const namespaceOf = ({ pid }: ProcessIdentity): Namespace => {
    const path = `/proc/${pid}/ns/net`;
    const enter = [
      ...['nsenter', '--preserve-credentials', `--user=/proc/${pid}/ns/user`, `--net=${path}`, '--'],
    ];
    return { path, enter, enterBare: subordinates === undefined ? [...enter, ...dropRights] : enter };
  };
  return {
    async find(deployment) {
      const [holder] = findHolders(deployment);
      return holder && namespaceOf(holder);
    },
    async ensure(deployment, signal) {
      const [holder] = findHolders(deployment);
      return namespaceOf(holder ?? (await startHolder(deployment, subordinates, signal)));
    },
    async remove(deployment) {
      for (const holder of findHolders(deployment)) await endProcess(holder, 0);
    },
    userOf(deployment, key) {
      if (subordinates === undefined) return undefined;
      return 1 + (Number.parseInt(shortHash(`${deployment} ${key}`, 8), 16) % subordinates.count);
    },
  };
}

const dropRights: readonly string[] = [
  ...['setpriv', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--'],
];

function findHolders(deployment: string): readonly ProcessIdentity[] {
  const mark = namespaceName(deployment);
  return findProcesses((args) => args[0] === mark).toSorted(
    (a, b) => a.startTicks - b.startTicks || a.pid - b.pid,
  );
}

async function startHolder(
  deployment: string,
  subordinates: SubordinateIds | undefined,
  signal: AbortSignal,
): Promise<ProcessIdentity> {
  // it has its name only once the namespaces are made
  const hold = ['bash', '-c', 'exec -a "$0" sleep infinity 2>/dev/null', namespaceName(deployment)];
  const command = ['unshare', ...userNamespaceOptions(subordinates), '--net', '--', ...hold];
  const { child } = spawnDetached(command, ['ignore', 'ignore', 'pipe']);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(0, 2000);
  });
  const identity = child.pid === undefined ? undefined : processIdentity(child.pid);
  const deadline = Date.now() + startTimeoutMs;
  try {
    while (identity !== undefined && Date.now() < deadline && !(await waitForEnd(identity, 0))) {
      if (signal.aborted)
        throw new EngineError('OPERATION_INTERRUPTED', 'making a private network was stopped on request');
      if (findHolders(deployment).some(({ pid }) => pid === identity.pid)) return identity;
      await delay(5);
    }
  } finally {
    child.stderr?.destroy();
  }
  if (identity !== undefined) await endProcess(identity, 0);
  throw new EngineError(
    'ISOLATION_UNAVAILABLE',
    `no private network could be made: ${plainText(said) || 'no reason given'}`,
    { hint: 'See what is missing with: sheaf pool show' },
  );
}
