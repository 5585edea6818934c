import type { InstanceState, RenderScope } from '../model/step.ts';

/** The content of `/etc/sheaf/instance.json`, by which the supervisor knows what to do. */
export type GuestSpec = {
  readonly version: 1;
  readonly deployment: string;
  readonly instance: string;
  readonly generation: number;
  readonly uses: { readonly name: string; readonly version: string };
  readonly hosts: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  readonly volumes: readonly {
    readonly name: string;
    readonly mount: string;
    readonly kind: 'data' | 'scratch';
  }[];
  readonly waits: readonly {
    readonly terminal: string;
    readonly protocol: string;
    readonly transport: string;
    readonly peers: readonly { readonly address: string; readonly port: number }[];
  }[];
  readonly services: InstanceState['services'];
  readonly hooks: InstanceState['hooks'];
  readonly health?: InstanceState['health'];
  readonly isHeld?: true;
  readonly files: readonly { readonly path: string; readonly onChange?: string }[];
};

/**
 * Tells an instance's supervisor what to do, in the words of `kit/PROTOCOL.md`.
 *
 * Every out terminal that has peers becomes a host name, and so does every name of the outer world that its wire lists;
 * hosts stand in the order of their names.
 *
 * @param deployment - the deployment's id
 */
export function guestSpecOf(state: InstanceState, deployment: string, generation: number): GuestSpec {
  const { scope } = state;
  return {
    version: 1,
    deployment,
    instance: scope.instance.name,
    generation,
    uses: state.uses,
    hosts: hostsOf(scope),
    volumes: state.volumes.map(({ name, mount, kind }) => ({ name, mount, kind })),
    waits: state.waits.map(({ terminal, protocol, transport, peers }) => ({
      terminal,
      protocol,
      transport,
      peers: peers.map(({ address, port }) => ({ address, port })),
    })),
    services: state.services,
    hooks: state.hooks,
    ...(state.health && { health: state.health }),
    ...(state.isHeld && { isHeld: true }),
    files: state.files.map(({ path, onChange }) => ({ path, ...(onChange !== undefined && { onChange }) })),
  };
}

/** Lists the host names inside of an instance: its out terminals and the names that they reach, by name. */
export function hostsOf({ terminals }: RenderScope): GuestSpec['hosts'] {
  const hosts = new Map<string, Set<string>>();
  const add = (name: string, address: string): unknown =>
    hosts.set(name, (hosts.get(name) ?? new Set<string>()).add(address));
  for (const [terminal, { direction, peers, names = [] }] of Object.entries(terminals)) {
    if (direction !== 'out') continue;
    for (const { address } of peers) add(terminal, address);
    for (const { name, address } of names) add(name, address);
  }
  return [...hosts]
    .map(([name, addresses]) => ({ name, addresses: [...addresses] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
