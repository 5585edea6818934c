import type { InstanceState } from '../model/step.ts';

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
  readonly files: readonly { readonly path: string; readonly onChange?: string }[];
};

/**
 * Tells an instance's supervisor what to do, in the words of `kit/PROTOCOL.md`.
 *
 * Every out terminal that has peers becomes a host name; hosts stand in the order of their names.
 *
 * @param deployment - the deployment's id
 */
export function guestSpecOf(state: InstanceState, deployment: string, generation: number): GuestSpec {
  const { scope } = state;
  const hosts = Object.entries(scope.terminals)
    .filter(([, terminal]) => terminal.direction === 'out' && terminal.peers.length > 0)
    .map(([name, terminal]) => ({ name, addresses: terminal.peers.map((peer) => peer.address) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    version: 1,
    deployment,
    instance: scope.instance.name,
    generation,
    uses: state.uses,
    hosts,
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
    files: state.files.map(({ path, onChange }) => ({ path, ...(onChange !== undefined && { onChange }) })),
  };
}
