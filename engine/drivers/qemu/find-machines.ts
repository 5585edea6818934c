import { canonicalJson } from '../../digest.ts';
import type { ProcessIdentity } from '../../process-identity.ts';
import { guestMark, userIdOf } from './marks.ts';
import { findProcesses } from './processes.ts';

/** Finds the QEMU processes that carry an instance's mark; at most one is meant to. */
export function findMachines(deployment: string, instance: string): readonly ProcessIdentity[] {
  const mark = `${guestMark(deployment, instance)},debug-threads=on`;
  return findProcesses(
    (args) => {
      const at = args.indexOf('-name');
      return at >= 0 && args[at + 1] === mark && args[at + 2] === '-uuid';
    },
    userIdOf(deployment, instance),
  );
}

/** Tells whether two identities are of the same process. */
export function isSame(a: ProcessIdentity | undefined, b: ProcessIdentity): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
