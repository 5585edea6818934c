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
      /** Of an external: whether each connection begins with a header that tells the client's address. */
      readonly proxyProtocol?: true;
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

/** Tells whether a terminal's service is told the address of each client by a header. */
export function tellsClients(terminal: Terminal | undefined): boolean {
  return terminal?.direction === 'external' && terminal.proxyProtocol === true;
}

/** Tells whether a terminal is the door through which the listed names are reached. */
export function leadsOut(terminal: Terminal): boolean {
  return terminal.direction === 'external' && terminal.port === 'names';
}
