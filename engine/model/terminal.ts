/** A port number, the integer property that holds it, or the ports of the names that wires list. */
export type PortSource = number | { readonly property: string } | 'names';

/** A typed port of an appliance as its description declares it. */
export type Terminal =
  | {
      readonly name: string;
      readonly direction: 'in' | 'external';
      readonly protocol: string;
      /** Where it listens inside the guest. An external whose port is `names` listens nowhere: it leads out. */
      readonly port: PortSource;
    }
  | {
      readonly name: string;
      readonly direction: 'out';
      readonly protocol: string;
      /** Whether it may stay without a wire. */
      readonly optional: boolean;
    };

/** Tells whether wires to a terminal have to list names of the outer world. */
export function takesNames(terminal: Terminal): boolean {
  return terminal.direction === 'in' && terminal.port === 'names';
}

/** Tells whether a terminal is the door through which the listed names are reached. */
export function leadsOut(terminal: Terminal): boolean {
  return terminal.direction === 'external' && terminal.port === 'names';
}
