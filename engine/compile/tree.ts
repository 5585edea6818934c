import type { Appliance } from '../model/appliance.ts';
import type { Application, Assembly, Use } from '../model/assembly.ts';
import type { JsonPath, Spot } from '../model/finding.ts';
import type { Terminal } from '../model/terminal.ts';
import { type Described, spotAt } from './described.ts';

/** An application, or an assembly in use: where names are looked up. */
export type Scope = {
  readonly kind: 'scope';
  /** Empty for the root; `shop`, nested `shop/cart`. */
  readonly path: string;
  readonly described: Described<Application> | Described<Assembly>;
  /** What uses it, and where; null for the root. */
  readonly parent: { readonly scope: Scope; readonly use: Use } | null;
  /** What each name stands for; a name whose use could not be resolved is absent. */
  readonly members: ReadonlyMap<string, Part | Scope>;
};

/** One appliance of the expanded application. */
export type Part = {
  readonly kind: 'part';
  /** `web`, nested `shop/web`. */
  readonly path: string;
  readonly described: Described<Appliance>;
  readonly parent: { readonly scope: Scope; readonly use: Use };
};

/** The expanded application: the root, and every appliance and assembly in it, in the order of the descriptions. */
export type Tree = {
  readonly root: Scope;
  readonly parts: readonly Part[];
  /** The root first, and each scope before those inside it. */
  readonly scopes: readonly Scope[];
};

/** A terminal of one appliance of the expanded application. */
export type End = { readonly part: Part; readonly terminal: Terminal };

/** What a name in a scope leads to, or the first name on the way that does not exist. */
export type Lookup<T> =
  | T
  | { readonly missing: string; readonly known: readonly string[] }
  /** Something is wrong on the way that was already told. */
  | 'silent';

/** Gives the place of something about a use. */
export function useSpot(
  { scope, use }: Part['parent'],
  path: JsonPath = [],
  part: Spot['part'] = 'key',
): Spot {
  return spotAt(scope.described, ['appliances', use.name, ...path], part);
}

/** Lists what is in use, and by what: the members of the root first, then those of assemblies, outer before inner. */
export function* membersOutermostFirst(
  tree: Tree,
): Generator<{ readonly member: Part | Scope; readonly parent: Part['parent'] }> {
  for (const scope of tree.scopes) {
    for (const member of scope.members.values()) {
      if (member.parent !== null) yield { member, parent: member.parent };
    }
  }
}
