import type { FindingSink, Spot } from '../model/finding.ts';
import { memberOf } from '../model/members.ts';
import type { Description, Resolution, Source } from '../model/source.ts';

/**
 * Chooses the description for one path: the locked version as long as it is allowed and there, else the newest.
 *
 * @param at - where the use is written
 */
export function chooseVersion(
  source: Source,
  found: Extract<Resolution, { readonly kind: 'found' }>,
  path: string,
  at: Spot,
  sink: FindingSink,
): Description {
  const chosen = choose(source, found, path, at, sink);
  const version = String(memberOf(chosen.value, 'version'));
  const reason = found.yanked?.get(version);
  if (reason !== undefined)
    sink({
      code: 'VERSION_YANKED',
      at,
      message: `${nameOf(chosen)} ${version} was withdrawn: ${reason}`,
      hint: `Run sheaf lock --update ${nameOf(chosen)} to choose another one that the range allows.`,
    });
  return chosen;
}

function choose(
  source: Source,
  found: Extract<Resolution, { readonly kind: 'found' }>,
  path: string,
  at: Spot,
  sink: FindingSink,
): Description {
  const { lock, unlocked } = source;
  const entry =
    lock !== null && Object.hasOwn(lock.lock.appliances, path) ? lock.lock.appliances[path] : undefined;
  const name = nameOf(found.newest);
  if (lock === null || entry === undefined || entry.name !== name || unlocked.has(entry.name))
    return found.newest;
  const locked = found.locked.get(entry.version);
  const inLock: Spot = { text: lock.text, path: ['appliances', path], part: 'key' };
  if (locked === undefined) {
    sink({
      code: 'LOCK_STALE',
      at: inLock,
      message: `${entry.name} ${entry.version} is locked for ${path}, but is no longer there or no longer allowed`,
      hint: `Run sheaf lock to choose again.`,
    });
    return found.newest;
  }
  if (locked.digest !== entry.digest) {
    sink({
      code: 'LOCK_MISMATCH',
      at,
      message: `${entry.name} ${entry.version} has changed since it was locked`,
      hint: `If the change is wanted, run sheaf lock --update ${entry.name}; if not, restore its files.`,
    });
  }
  return locked;
}

function nameOf(description: Description): string {
  return String(memberOf(description.value, 'name'));
}
