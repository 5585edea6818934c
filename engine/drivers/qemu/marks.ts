import { createHash } from 'node:crypto';

/** Gives the name of a deployment's network namespace. */
export function namespaceName(deployment: string): string {
  return `sheaf-${deployment}`;
}

/** Gives the path by which a deployment's network namespace is entered. */
export function namespacePath(deployment: string): string {
  return `/run/netns/${namespaceName(deployment)}`;
}

/** Gives the name of an instance's tap: the same each time, and short enough for the kernel's 15 characters. */
export function tapName(instance: string): string {
  return `v-${shortHash(instance, 12)}`;
}

/** Gives the text by which an instance's QEMU is known among the machine's processes. */
export function guestMark(deployment: string, instance: string): string {
  return `guest=sheaf-${deployment}-${instance}`;
}

/** Gives the text by which an endpoint's attendant is known among the machine's processes. */
export function endpointMark(deployment: string, endpoint: string): string {
  return `sheaf-${deployment}-endpoint-${endpoint}`;
}

/** The least user id that a process of an object can have. */
export const firstUserId = 1_900_000_000;

/**
 * Gives the user id under which a process of an object runs.
 *
 * Each object gets a number of its own, so that a QEMU that was taken over can neither signal nor trace another one.
 *
 * @source systemd's UIDS-GIDS.md, which leaves 1879048192 to 2147483647 to nobody
 */
export function userIdOf(deployment: string, key: string): number {
  return firstUserId + (Number.parseInt(shortHash(`${deployment} ${key}`, 8), 16) % 200_000_000);
}

/** Gives the first hexadecimal digits of a text's SHA-256. */
export function shortHash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
