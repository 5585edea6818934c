import { nameHint } from '../formats/nearest-name.ts';
import type { Finding, FindingSink, Spot } from '../model/finding.ts';
import { accepts, type ProtocolTable, transportOf } from '../model/protocol.ts';
import { takesNames } from '../model/terminal.ts';
import { lookUpTerminal } from './boundary.ts';
import { spotAt, wasRemoved } from './described.ts';
import { parseWire, type WireEndText } from './parse-wire.ts';
import type { End, Scope, Tree } from './tree.ts';

/** A wire of the expanded application, between two terminals that can be joined. */
export type Wire = {
  readonly from: End;
  readonly to: End;
  readonly isOrdered: boolean;
  /** The description in which it stands, and its place in the list there. */
  readonly scope: Scope;
  readonly index: number;
};

/** What became of the wires. */
export type Connections = {
  readonly wires: readonly Wire[];
  /** The same by {@link endName} of the out. */
  readonly byOut: ReadonlyMap<string, Wire>;
  /** Ends, as `SCOPE USE.TERMINAL`, of wires that were refused; that they are not connected is no news. */
  readonly refusedEnds: ReadonlySet<string>;
};

/** Gives the place of a wire. */
export function wireSpot({ scope, index }: Pick<Wire, 'scope' | 'index'>): Spot {
  return spotAt(scope.described, ['wires', index]);
}

/** Gives the name that a terminal has in messages and as a key: `shop/web.db`. */
export function endName({ part, terminal }: End): string {
  return `${part.path}.${terminal.name}`;
}

/** Follows every wire of every description to the terminals at its ends, and refuses those that cannot be. */
export function connectWires(tree: Tree, protocols: ProtocolTable, sink: FindingSink): Connections {
  const wires: Wire[] = [];
  const refusedEnds = new Set<string>();
  const byOut = new Map<string, Wire>();
  for (const scope of tree.scopes) {
    for (const [index, { text, isOrdered }] of scope.described.model.wires.entries()) {
      if (wasRemoved(scope.described, ['wires', index])) continue;
      const ends = connect(scope, text, protocols);
      if (!('from' in ends)) {
        for (const name of text.split('->')) refusedEnds.add(`${scope.path} ${name.trim()}`);
        if ('code' in ends) sink({ ...ends, at: wireSpot({ scope, index }) });
        continue;
      }
      const wire: Wire = { ...ends, isOrdered, scope, index };
      const out = endName(ends.from);
      const other = byOut.get(out);
      if (other !== undefined) sink(duplicate(wire, other));
      else {
        byOut.set(out, wire);
        wires.push(wire);
      }
    }
  }
  return { wires, byOut, refusedEnds };
}

type Refusal = Omit<Finding, 'at'>;

function connect(
  scope: Scope,
  text: string,
  protocols: ProtocolTable,
): { readonly from: End; readonly to: End } | Refusal | { readonly silent: true } {
  const parsed = parseWire(text);
  if ('message' in parsed) return { code: 'WIRE_UNFIT', ...parsed };
  const from = endOf(scope, parsed.from);
  if ('code' in from) return from;
  const to = endOf(scope, parsed.to);
  if ('code' in to) return to;
  if ('silent' in from || 'silent' in to) return { silent: true };
  return refusalOf(parsed.from, from, parsed.to, to, protocols) ?? { from, to };
}

function endOf(scope: Scope, { use, terminal }: WireEndText): End | Refusal | { readonly silent: true } {
  const member = scope.members.get(use);
  if (member === undefined) {
    const { uses } = scope.described.model;
    if (uses.has(use) || wasRemoved(scope.described, ['appliances', use])) return { silent: true };
    return {
      code: 'WIRE_UNKNOWN',
      message: `there is no appliance ${use} here`,
      hint: nameHint(use, [...uses.keys()]),
    };
  }
  const found = lookUpTerminal(member, terminal);
  if (found === 'silent') return { silent: true };
  if (!('missing' in found)) return found;
  return {
    code: 'WIRE_UNKNOWN',
    message: `${use} has no terminal ${terminal}`,
    hint: nameHint(terminal, found.known),
  };
}

function refusalOf(
  fromText: WireEndText,
  from: End,
  toText: WireEndText,
  to: End,
  protocols: ProtocolTable,
): Refusal | undefined {
  const fromName = `${fromText.use}.${fromText.terminal}`;
  const toName = `${toText.use}.${toText.terminal}`;
  if (from.terminal.direction !== 'out' || to.terminal.direction !== 'in') {
    return {
      code: 'WIRE_DIRECTION',
      message: `a wire leads from an out to an in, but ${fromName} is ${from.terminal.direction} and ${toName} is ${to.terminal.direction}`,
      hint: directionHint(fromName, from, toName, to),
    };
  }
  const out = from.terminal.protocol;
  const into = to.terminal.protocol;
  // A protocol that nobody declares was told where the terminal is.
  if (!protocols.has(out) || !protocols.has(into) || accepts(protocols, out, into)) return undefined;
  // What speaks at the other end is the outer world's affair; only the transport is the appliance's.
  if (takesNames(to.terminal) && transportOf(protocols, out) === transportOf(protocols, into))
    return undefined;
  return {
    code: 'WIRE_PROTOCOL',
    message: `${fromName} speaks ${out}, but ${toName} offers ${into}`,
    hint: `Wire ${fromName} to an in of ${out}.`,
  };
}

function directionHint(fromName: string, from: End, toName: string, to: End): string {
  if (from.terminal.direction === 'in' && to.terminal.direction === 'out') {
    return `Write it the other way round: ${toName} -> ${fromName}.`;
  }
  if (from.terminal.direction === 'external' || to.terminal.direction === 'external') {
    return 'An external terminal is reached from the world and takes no wire.';
  }
  const [end, wanted] = from.terminal.direction === 'out' ? [to, 'in'] : [from, 'out'];
  const names = [...end.part.described.model.terminals.values()].filter(
    ({ direction }) => direction === wanted,
  );
  const path = end.part.parent.use.name;
  return names.length === 0
    ? `${path} has no ${wanted} terminal.`
    : `The ${wanted} terminals of ${path} are ${names.map(({ name }) => name).join(', ')}.`;
}

function duplicate(wire: Wire, other: Wire): Finding {
  const out = endName(wire.from);
  return {
    code: 'WIRE_DUPLICATE',
    at: wireSpot(wire),
    message: `${out} already has a wire, to ${endName(other.to)}`,
    hint: 'An out goes to exactly one in: remove one of the wires, or put a load balancer between.',
  };
}
