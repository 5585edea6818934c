import type { FindingSink } from '../model/finding.ts';
import { accepts, type ProtocolTable } from '../model/protocol.ts';
import { type Terminal, takesNames } from '../model/terminal.ts';
import { lookUpTerminal } from './boundary.ts';
import { type Connections, endName } from './connect-wires.ts';
import { isAssembly } from './described.ts';
import { type Part, type Scope, type Tree, useSpot } from './tree.ts';

// Only a few neighbours are worth looking at for a hint.
const maxNeighbours = 50;

/**
 * Checks that every out which is not optional has a wire, at the level where it could be wired.
 *
 * An out that assemblies show on their boundaries belongs to the description outside of the outermost of them. On the
 * boundary of the root it may stay open, since the root is then an assembly for others to use.
 */
export function checkOuts(
  tree: Tree,
  connections: Connections,
  protocols: ProtocolTable,
  sink: FindingSink,
): void {
  const shownOuts = outsOnBoundaries(tree);
  for (const part of tree.parts) {
    for (const terminal of part.described.model.terminals.values()) {
      if (terminal.direction !== 'out' || terminal.optional) continue;
      const name = endName({ part, terminal });
      const shown = shownOuts.get(name);
      if (connections.byOut.has(name) || shown?.scope.parent === null) continue;
      const member = shown?.scope.parent ?? part.parent;
      const label = `${member.use.name}.${shown?.name ?? terminal.name}`;
      if (connections.refusedEnds.has(`${member.scope.path} ${label}`)) continue;
      sink({
        code: 'WIRE_MISSING',
        at: useSpot(member),
        message: `the out ${label} has no wire, and is not optional`,
        hint: hintFor(member, label, terminal, protocols),
      });
    }
  }
}

/** Gives, for each out on a boundary, the outermost assembly that shows it and its name there. */
function outsOnBoundaries(tree: Tree): ReadonlyMap<string, { readonly scope: Scope; readonly name: string }> {
  const shown = new Map<string, { readonly scope: Scope; readonly name: string }>();
  for (const scope of tree.scopes) {
    if (!isAssembly(scope.described)) continue;
    for (const name of scope.described.model.terminals.keys()) {
      const end = lookUpTerminal(scope, name);
      if (end === 'silent' || 'missing' in end || end.terminal.direction !== 'out') continue;
      // Scopes come outermost first.
      if (!shown.has(endName(end))) shown.set(endName(end), { scope, name });
    }
  }
  return shown;
}

function hintFor(
  { scope, use: own }: Part['parent'],
  label: string,
  out: Terminal,
  protocols: ProtocolTable,
): string {
  for (const [use, member] of [...scope.members].slice(0, maxNeighbours)) {
    if (use === own.name) continue;
    const names =
      member.described.model.kind === 'application' ? [] : [...member.described.model.terminals.keys()];
    for (const name of names) {
      const end = lookUpTerminal(member, name);
      if (end === 'silent' || 'missing' in end || end.terminal.direction !== 'in') continue;
      if (takesNames(end.terminal)) continue;
      if (accepts(protocols, out.protocol, end.terminal.protocol))
        return `Add the wire ${label} -> ${use}.${name}.`;
    }
  }
  return `Add an appliance that offers ${out.protocol}, and a wire to it.`;
}
