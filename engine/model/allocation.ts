/** Where something listens on a server, such as `127.0.0.1` and `8080`. */
export type ListenAddress = { readonly address: string; readonly port: number };

/** Why nothing can listen somewhere: another program does, or the machine has no such address. */
export type ListenRefusal = 'taken' | 'absent';

/** What a deployment holds of its pool's address space. Chosen once, recorded, and kept from then on. */
export type Allocation = {
  /** IPv4 in CIDR form; its first address is the gateway's. */
  readonly subnet: string;
  /** By instance. */
  readonly instances: Readonly<Record<string, { readonly address: string; readonly mac: string }>>;
  /** By `appliance.terminal` of the externals. */
  readonly endpoints: Readonly<Record<string, ListenAddress>>;
};
