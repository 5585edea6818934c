import { rm, statfs } from 'node:fs/promises';
import { runCommand } from '../../command.ts';
import { systemCode } from '../../system-code.ts';
import { namespaceName, namespacePath, userIdOf } from './marks.ts';
import type { Namespace, Namespaces } from './namespaces.ts';

const namespaceFileSystem = 0x6e736673; // NSFS_MAGIC of linux/magic.h

/** Opens the namespaces of root: each has a name, as `ip netns` gives it, and needs no process to be there. */
export function openNamedNamespaces(): Namespaces {
  return {
    async find(deployment) {
      return (await isMounted(namespacePath(deployment)))
        ? namespaceAt(namespacePath(deployment))
        : undefined;
    },
    async ensure(deployment, signal) {
      const path = namespacePath(deployment);
      if (!(await isMounted(path))) {
        // `ip netns add` makes a file and then mounts the namespace on it: a kill between the two leaves the file
        await rm(path, { force: true });
        await runCommand('ip', ['netns', 'add', namespaceName(deployment)], { signal });
      }
      return namespaceAt(path);
    },
    async remove(deployment, signal) {
      const path = namespacePath(deployment);
      if (await isMounted(path))
        await runCommand('ip', ['netns', 'delete', namespaceName(deployment)], { signal });
      await rm(path, { force: true });
    },
    userOf: userIdOf,
  };
}

function namespaceAt(path: string): Namespace {
  const enter = ['nsenter', `--net=${path}`, '--'];
  return { path, enter, enterBare: enter }; // they give up root's rights when they change their user
}

async function isMounted(path: string): Promise<boolean> {
  try {
    return (await statfs(path)).type === namespaceFileSystem;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
