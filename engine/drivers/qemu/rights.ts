import type { Capabilities } from '../../model/pool.ts';
import { findSubordinates, type SubordinateIds, type SystemUser } from '../../user-namespace.ts';
import { openHeldNamespaces } from './held-namespaces.ts';
import { openNamedNamespaces } from './named-namespaces.ts';
import type { Namespaces } from './namespaces.ts';

/** With which rights this process brings machines up. */
export type Rights = {
  readonly namespaces: Namespaces;
  /** How strictly machines are kept from this user's own things. */
  readonly confinement: NonNullable<Capabilities['confinement']>;
  /** Absent for root, who needs no user namespace. */
  readonly unprivileged?: { readonly subordinates: SubordinateIds | undefined };
};

/** Finds out which rights a user has. */
export async function findRights(user: SystemUser): Promise<Rights> {
  if (user.id === 0)
    return {
      namespaces: openNamedNamespaces(),
      confinement: { name: 'root', reason: 'started by root; each machine goes on as a user of its own' },
    };
  const found = await findSubordinates(user);
  if ('reason' in found) {
    const weaker = `machines go on as ${user.name}, without capabilities`;
    return {
      namespaces: openHeldNamespaces(undefined),
      confinement: { name: 'same-user', reason: `${weaker}: ${found.reason}. ${found.remedy}` },
      unprivileged: { subordinates: undefined },
    };
  }
  return {
    namespaces: openHeldNamespaces(found),
    confinement: {
      name: 'lent-users',
      reason: `started by ${user.name}; each machine goes on as a user of its own, of ${found.count} that the system lends`,
    },
    unprivileged: { subordinates: found },
  };
}
