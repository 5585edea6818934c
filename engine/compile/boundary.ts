import { nameHint } from '../formats/nearest-name.ts';
import type { Assembly, InnerPart } from '../model/assembly.ts';
import type { FindingSink } from '../model/finding.ts';
import { isAssembly, spotAt, wasRemoved } from './described.ts';
import type { End, Lookup, Part, Scope } from './tree.ts';

/** What a boundary can show. */
export type Shown = 'terminals' | 'volumes' | 'contents';

const keyOf: Readonly<Record<Shown, string>> = {
  terminals: 'terminals',
  volumes: 'volumes',
  contents: 'content',
};

/**
 * Follows a name on a member's boundary down to the appliance that has it.
 *
 * @returns the appliance and the name there
 */
export function lookUp(
  member: Part | Scope,
  shown: Shown,
  name: string,
): Lookup<{ readonly part: Part; readonly name: string }> {
  const key = [keyOf[shown], name];
  if (member.kind === 'part') {
    const known = member.described.model[shown];
    if (known.has(name)) return { part: member, name };
    return wasRemoved(member.described, key) ? 'silent' : { missing: name, known: [...known.keys()] };
  }
  if (!isAssembly(member.described)) return 'silent';
  const boundary = member.described.model[shown];
  const inner = boundary.get(name);
  if (inner === undefined) {
    return wasRemoved(member.described, key) ? 'silent' : { missing: name, known: [...boundary.keys()] };
  }
  const next = member.members.get(inner.use);
  // A part of a boundary that leads nowhere is told where the boundary is checked, not where it is used.
  const found = next === undefined ? 'silent' : lookUp(next, shown, inner.name);
  return found !== 'silent' && 'missing' in found ? 'silent' : found;
}

/** Follows a terminal's name on a member's boundary down to the appliance that has it. */
export function lookUpTerminal(member: Part | Scope, name: string): Lookup<End> {
  const found = lookUp(member, 'terminals', name);
  if (found === 'silent' || 'missing' in found) return found;
  const terminal = found.part.described.model.terminals.get(found.name);
  return terminal === undefined ? 'silent' : { part: found.part, terminal };
}

/** Checks that what an assembly's boundary shows is inside. */
export function checkBoundary(scope: Scope, sink: FindingSink): void {
  if (!isAssembly(scope.described)) return;
  const { described } = scope;
  for (const shown of ['terminals', 'volumes', 'contents'] as const) {
    for (const [name, inner] of described.model[shown]) {
      const at = spotAt(described, [keyOf[shown], name, 'inner']);
      const refusal = refusalOf(scope, described.model, shown, inner);
      if (refusal !== undefined) sink({ code: 'BOUNDARY_UNKNOWN', at, ...refusal });
    }
  }
}

function refusalOf(
  scope: Scope,
  model: Assembly,
  shown: Shown,
  inner: InnerPart,
): { readonly message: string; readonly hint: string } | undefined {
  const member = scope.members.get(inner.use);
  if (member === undefined) {
    if (model.uses.has(inner.use) || wasRemoved(scope.described, ['appliances', inner.use])) return undefined;
    return {
      message: `there is no ${inner.use} in ${model.name}`,
      hint: nameHint(inner.use, [...model.uses.keys()]),
    };
  }
  const found = lookUp(member, shown, inner.name);
  if (found === 'silent') return undefined;
  if ('missing' in found) {
    return {
      message: `${inner.use} has no ${nounOf[shown]} ${found.missing}`,
      hint: nameHint(found.missing, found.known),
    };
  }
  if (shown !== 'terminals') return undefined;
  const terminal = found.part.described.model.terminals.get(found.name);
  return terminal?.direction === 'external'
    ? {
        message: `${inner.use}.${inner.name} is external, and needs no place on a boundary`,
        hint: 'Remove it; it is a door of the application already.',
      }
    : undefined;
}

const nounOf: Readonly<Record<Shown, string>> = {
  terminals: 'terminal',
  volumes: 'volume',
  contents: 'content place',
};
