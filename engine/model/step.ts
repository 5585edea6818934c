import type { Digest } from '../digest.ts';
import type { Descriptor } from './blob.ts';
import type {
  BlueprintTerminal,
  Command,
  Health,
  Hook,
  HookName,
  OuterName,
  Service,
  TemplateFile,
  Transport,
} from './blueprint.ts';
import type { Setting } from './value.ts';

/** The private network of one deployment. */
export type NetworkState = {
  /** IPv4 in CIDR form, such as `10.83.4.0/24`; its first address is the gateway. */
  readonly subnet: string;
  readonly gateway: string;
};

/** One pair of instances between which one port is open. */
export type PolicyRule = {
  readonly from: string;
  readonly to: string;
  readonly transport: Transport;
  readonly port: number;
};

/** Everything that may pass, and the true address of everyone; all else is dropped. Sorted, so equal policies have equal bytes. */
export type PolicyState = {
  readonly rules: readonly PolicyRule[];
  readonly members: readonly { readonly instance: string; readonly address: string; readonly mac: string }[];
};

/** An image made ready to run on the servers that need it. */
export type ImageState = {
  readonly appliance: string;
  readonly kit: Digest;
  /** Lowest first: tars, packed or not; or one whole disk. */
  readonly layers: readonly Descriptor[];
  readonly joined?: JoinedLayers;
};

/**
 * How many of the lowest layers belong together: those of an image of others, which may rely on each other in ways that
 * layers made here do not. Absent for images made here.
 */
export type JoinedLayers = number;

/** A disk, made when absent. */
export type VolumeState = {
  readonly server: string;
  readonly kind: 'data' | 'scratch';
  readonly sizeBytes: number;
  /** Key of the snapshot to which its data were taken back last, for life; taking them back happens once, when this changes. */
  readonly restored?: string;
};

/** The data volumes of one instance, frozen as of one moment. It is taken when it is made, and never changes. */
export type SnapshotState = {
  readonly instance: string;
  readonly server: string;
  /** Keys of the volumes. */
  readonly volumes: readonly string[];
};

/** An instance at the other end of a wire. */
export type Peer = { readonly name: string; readonly address: string; readonly port: number };

/** A name of the outer world as templates see it: whom it is reached through, or on an `in`, who may reach it. */
export type NameScope = {
  readonly name: string;
  readonly port: number;
  /** Name of the instance at the other end of the wire. */
  readonly peer: string;
  readonly address: string;
};

/** A terminal as templates see it. */
export type TerminalScope = Omit<BlueprintTerminal, 'name'> & {
  /**
   * In order of number; empty for an unconnected optional `out`. On an `in`: the instances that may connect. On an
   * external that leads out: the way out that the driver gives.
   */
  readonly peers: readonly Peer[];
  /** Where wires list names; templates see an empty list on every other terminal. */
  readonly names?: readonly NameScope[];
  /** Of those names, each once, ascending; templates see an empty list on every other terminal. */
  readonly ports?: readonly number[];
};

/** Where the world reaches an external terminal. */
export type EndpointScope = { readonly address: string; readonly port: number; readonly url: string };

/** What a template may name. Properties hold references in place of secrets until the moment of rendering. */
export type RenderScope = {
  readonly application: { readonly name: string; readonly version: string };
  readonly deployment: { readonly name: string };
  readonly instance: {
    readonly name: string;
    readonly number: number;
    readonly appliance: string;
    readonly hostname: string;
    readonly address: string;
  };
  readonly properties: Readonly<Record<string, Setting['value']>>;
  readonly terminals: Readonly<Record<string, TerminalScope>>;
  readonly volumes: Readonly<Record<string, { readonly mount: string; readonly sizeBytes: number }>>;
  readonly endpoint: Readonly<Record<string, EndpointScope>>;
};

/** One VM or container, whole: what it runs on, what it runs, and what it is told. */
export type InstanceState = {
  readonly appliance: string;
  readonly uses: { readonly name: string; readonly version: string };
  readonly server: string;
  /** Key of the image step. */
  readonly image: string;
  readonly kit: Digest;
  readonly layers: readonly Descriptor[];
  readonly joined?: JoinedLayers;
  /** What the services get; the driver adds its overhead. */
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly hostname: string;
  readonly address: string;
  /** Length of the subnet's prefix in bits. */
  readonly prefix: number;
  readonly gateway: string;
  readonly mac: string;
  readonly volumes: readonly {
    readonly name: string;
    readonly key: string;
    readonly kind: 'data' | 'scratch';
    readonly mount: string;
    readonly sizeBytes: number;
  }[];
  readonly files: readonly TemplateFile[];
  readonly scope: RenderScope;
  /** Out terminals whose wire is ordered: services start when each has a peer that answers. */
  readonly waits: readonly {
    readonly terminal: string;
    readonly protocol: string;
    readonly transport: Transport;
    readonly peers: readonly Peer[];
  }[];
  readonly services: readonly Service[];
  readonly hooks: Readonly<Partial<Record<HookName, Hook>>>;
  readonly health?: Health;
  /**
   * Its services are stopped, or not started, while its volumes are mounted and its supervisor answers, so that the data can
   * be read and written in peace. Never said by a description.
   */
  readonly isHeld?: true;
  /** Of an image that is a whole disk, which boots by itself and without the kit: what its cloud-init runs at each start, and its least size. */
  readonly boot?: { readonly run: readonly Command[]; readonly sizeBytes?: number };
};

/** An address of the outer world that leads to the instances of an external terminal. */
export type EntryState = {
  readonly appliance: string;
  readonly terminal: string;
  readonly protocol: string;
  readonly transport: Transport;
  /** Where it listens; both were chosen and recorded before. */
  readonly listen: { readonly address: string; readonly port: number };
  readonly targets: readonly Peer[];
  /** Set when targets are told each client's address by a header of the PROXY protocol, version 2. */
  readonly proxyProtocol?: true;
};

/** A way from the instances of an external terminal to names of the outer world, and to nothing else. */
export type ExitState = {
  readonly appliance: string;
  readonly terminal: string;
  readonly protocol: string;
  readonly transport: Transport;
  /** Where the way out begins, in the deployment's own network. */
  readonly listen: { readonly address: string; readonly port: number };
  /** The instances that may use it. */
  readonly sources: readonly { readonly name: string; readonly address: string }[];
  /** On whose behalf they may use it, and for what. */
  readonly clients: readonly {
    readonly name: string;
    readonly address: string;
    readonly names: readonly OuterName[];
  }[];
};

/** A door between a deployment and the world. */
export type EndpointState = EntryState | ExitState;

/** Tells a door that leads out from one that leads in. */
export function isExit(state: EndpointState): state is ExitState {
  return 'clients' in state;
}

/** The kinds of object at a provider, with their desired states. The set is closed. */
export type ObjectStates = {
  readonly network: NetworkState;
  readonly policy: PolicyState;
  readonly image: ImageState;
  readonly volume: VolumeState;
  readonly snapshot: SnapshotState;
  readonly instance: InstanceState;
  readonly endpoint: EndpointState;
};

/** The name of a kind of object. */
export type ObjectKind = keyof ObjectStates;

/** Every {@link ObjectKind}, in the order in which they are made. */
export const objectKinds = [
  'network',
  'policy',
  'image',
  'volume',
  'snapshot',
  'instance',
  'endpoint',
] as const satisfies readonly ObjectKind[];

/** An object as it shall be: `network`/`network`, `policy`/`wires`, `image`/`php@1.0.0`, `volume`/`db.1/data`, `snapshot`/`db.1@12`, `instance`/`web.1`, `endpoint`/`edge.web`. */
export type Desired = {
  readonly [K in ObjectKind]: { readonly kind: K; readonly key: string; readonly state: ObjectStates[K] };
}[ObjectKind];

/** What a step does to an object that exists. */
export type Change = 'create' | 'update' | 'replace' | 'remove';

/**
 * One change to the world, as data. Performing it twice is the same as performing it once.
 *
 * `ensure` brings the object to `desired`, whatever was there; `remove` leaves nothing of it. `before` is the
 * recorded state that the inverse restores (null: it did not exist).
 */
export type Step = {
  readonly [K in ObjectKind]: {
    /** Unique in its plan: `1`, `2` … */
    readonly id: string;
    readonly kind: K;
    readonly key: string;
    readonly generation: number;
    readonly change: Change;
    /** Ids of steps of the same plan that must be done first. */
    readonly after: readonly string[];
    /** Instances that must be healthy before it begins, so that nobody is led to one that is not; none when absent. */
    readonly onceHealthy?: readonly string[];
    readonly before: ObjectStates[K] | null;
  } & (
    | { readonly action: 'ensure'; readonly desired: ObjectStates[K] }
    /** `deletesData` is true only where the caller named the data to be deleted. */
    | { readonly action: 'remove'; readonly desired: null; readonly deletesData: boolean }
  );
}[ObjectKind];

/** A plan: steps in an order that is safe to follow one by one; `after` tells what may run at once. */
export type Plan = {
  readonly deployment: string;
  readonly generation: number;
  readonly blueprint: Digest;
  readonly steps: readonly Step[];
  /** Volumes whose data will be lost, by key. */
  readonly losesData: readonly string[];
};
