import { canonicalJson } from '../../digest.ts';
import type { ProcessIdentity } from '../../process-identity.ts';
import { guestMark, userIdOf } from './marks.ts';
import { findProcesses, isStill } from './processes.ts';

/** Finds the QEMU processes that carry an instance's mark; at most one is meant to. */
export function findMachines(deployment: string, instance: string): readonly ProcessIdentity[] {
  return findProcesses(marked(deployment, instance), userIdOf(deployment, instance));
}

/** Tells whether a recorded process runs and is still the instance's QEMU. */
export function isMachine(
  recorded: ProcessIdentity | undefined,
  deployment: string,
  instance: string,
): recorded is ProcessIdentity {
  return (
    recorded !== undefined && isStill(recorded, marked(deployment, instance), userIdOf(deployment, instance))
  );
}

function marked(deployment: string, instance: string): (args: readonly string[]) => boolean {
  const mark = `${guestMark(deployment, instance)},debug-threads=on`;
  return (args) => {
    const at = args.indexOf('-name');
    return at >= 0 && args[at + 1] === mark && args[at + 2] === '-uuid';
  };
}

/** Tells whether two identities are of the same process. */
export function isSame(a: ProcessIdentity | undefined, b: ProcessIdentity): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
