import type { FindingSink } from '../model/finding.ts';
import type { Terminal } from '../model/terminal.ts';
import type { Setting } from '../model/value.ts';
import { type Part, type Tree, useSpot } from './tree.ts';

/** Gives the port of a terminal; undefined on an out, and when it comes from a property without a value. */
export type PortOf = (part: Part, terminal: Terminal) => number | undefined;

/** Settles ports that come from properties, whose values are known only now. */
export function settlePorts(
  tree: Tree,
  settings: ReadonlyMap<Part, Readonly<Record<string, Setting>>>,
  sink: FindingSink,
): PortOf {
  const portOf: PortOf = (part, terminal) => {
    if (terminal.direction === 'out') return undefined;
    if (typeof terminal.port === 'number') return terminal.port;
    if (terminal.port === 'names') return undefined;
    const value = settings.get(part)?.[terminal.port.property]?.value;
    return typeof value === 'number' ? value : undefined;
  };
  for (const part of tree.parts) {
    // Ports that are numbers were compared where the appliance was checked.
    if (!takesPorts(part)) continue;
    const listeners = new Map<number, string>();
    for (const terminal of part.described.model.terminals.values()) {
      const port = portOf(part, terminal);
      if (port === undefined || terminal.direction === 'out') continue;
      const isGiven = typeof terminal.port !== 'number';
      const other = listeners.get(port);
      listeners.set(port, terminal.name);
      if (port < 1 || port > 65535) {
        sink({
          code: 'PORT_UNFIT',
          at: useSpot(part.parent),
          message: `${part.parent.use.name}.${terminal.name} would listen on port ${port}`,
          hint: 'Give its property a number from 1 to 65535.',
        });
      } else if (other !== undefined && isGiven) {
        sink({
          code: 'PORT_TAKEN',
          at: useSpot(part.parent),
          message: `${part.parent.use.name}.${terminal.name} and ${other} would both listen on port ${port}`,
          hint: 'Give their properties different numbers.',
        });
      }
    }
  }
  return portOf;
}

function takesPorts(part: Part): boolean {
  for (const terminal of part.described.model.terminals.values()) {
    if (terminal.direction !== 'out' && typeof terminal.port === 'object') return true;
  }
  return false;
}
