/** Something that is counted when instances are placed. */
export type Resources = {
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
};

/** A machine that runs instances. */
export type Server = {
  readonly name: string;
  /** What instances may use in all; the host's own share is already taken off. */
  readonly capacity: Resources;
  /** What other deployments on it already hold. */
  readonly used: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly rack?: string;
  readonly zone?: string;
  /** False while it is drained or unreachable; then `reason` tells why. */
  readonly isOpen: boolean;
  readonly reason?: string;
};

/** The servers reached through one driver. */
export type Pool = {
  readonly name: string;
  readonly driver: string;
  /** IPv4 range from which deployments get their subnets, such as `10.83.0.0/16`. */
  readonly range: string;
};

/** Which of its resources an instance cannot exceed, whatever it does; when not all, `reason` says why. */
export type Limits = { readonly cpu: boolean; readonly memory: boolean; readonly reason?: string };

/** What a driver can do on the pool that it was opened for; facts that were tried, not hopes. */
export type Capabilities = {
  readonly runs: 'vm' | 'container';
  /** Whether wires are enforced outside the instance; when not, `isolationReason` says why. */
  readonly isolates: boolean;
  readonly isolationReason?: string;
  /** What lets this user enforce them, when they only lack the rights. */
  readonly isolationRemedy?: string;
  /** As whom instances run on the server, such as `root` or `lent-users`, and why; absent where the provider decides. */
  readonly confinement?: { readonly name: string; readonly reason: string };
  /** Whether its endpoints are opened elsewhere, so that this machine cannot tell which places are free. */
  readonly isElsewhere?: true;
  /** How instances are executed, such as `tcg` or `kvm`, and why. */
  readonly accelerator: { readonly name: string; readonly reason: string };
  readonly limits: Limits;
  /** Whether the data volumes of an instance can be frozen as of a moment, and be taken back to it. */
  readonly snapshots: boolean;
  /** What one instance costs beyond its appliance's resources. */
  readonly overhead: Resources;
};
