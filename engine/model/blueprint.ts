import type { Digest } from '../digest.ts';
import type { Setting } from './value.ts';

/** The transport protocols that a wire can open. */
export type Transport = 'tcp' | 'udp';

/** A program and its arguments; no shell reads them. */
export type Command = readonly string[];

/** A process that the supervisor runs and restarts. */
export type Service = {
  readonly name: string;
  readonly command: readonly string[];
  /** Services of the same appliance that must run first. */
  readonly after: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Name of a user of the image; root when absent. */
  readonly user?: string;
  readonly directory?: string;
  /** How a changed file reaches it; without one it is restarted. */
  readonly reload?: { readonly signal: string } | { readonly command: readonly string[] };
  readonly stop: { readonly signal: string; readonly timeoutMs: number };
};

/** The moments at which an appliance may run a command of its own. */
export type HookName = 'init' | 'migrate' | 'drain' | 'quiesce' | 'resume';

/** A command that the supervisor runs at a moment of the instance's life. */
export type Hook = { readonly command: readonly string[]; readonly timeoutMs: number };

/** How the supervisor finds out whether the instance serves. */
export type Health = {
  readonly probe:
    | { readonly kind: 'http'; readonly port: number; readonly path: string }
    | { readonly kind: 'tcp'; readonly port: number }
    | {
        readonly kind: 'command';
        readonly command: readonly string[];
        /** Of a probe that an image of others brings: it runs as the image's own program does; else as root in `/`. */
        readonly environment?: Readonly<Record<string, string>>;
        readonly user?: string;
        readonly directory?: string;
      };
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Consecutive failed probes after which it counts as unhealthy; at least 1. */
  readonly failures: number;
};

/** A configuration file that is rendered for each instance. */
export type TemplateFile = {
  /** Absolute path in the guest. */
  readonly path: string;
  /** Digest of the nunjucks text, which the blob store holds. */
  readonly template: Digest;
  /** The template's name for messages, relative to the appliance's folder. */
  readonly source: string;
  /** Octal text such as `0644`. */
  readonly mode: string;
  /** `user` or `user:group` of the image; root when absent. */
  readonly owner?: string;
  /** The service that is reloaded when the content changes. */
  readonly onChange?: string;
};

/** A disk of an appliance. */
export type Volume = {
  readonly name: string;
  /** `data` survives and moves with the application; `scratch` is lost at restart. */
  readonly kind: 'data' | 'scratch';
  readonly sizeBytes: number;
  /** Absolute path in the guest. */
  readonly mount: string;
  readonly perReplica: boolean;
};

/** Files of the application that become an image layer of its own. */
export type Content = {
  readonly name: string;
  /** Absolute folder in the guest. */
  readonly to: string;
  /** Of the folder's canonical listing: path, mode, digest of each file. */
  readonly digest: Digest;
};

/** Where an appliance's image comes from. */
export type ImageSource =
  | {
      readonly kind: 'packages';
      readonly suite: string;
      readonly packages: readonly string[];
      readonly setup?: { readonly source: string; readonly script: Digest };
    }
  | { readonly kind: 'oci'; readonly ref: string }
  | {
      readonly kind: 'disk';
      readonly path: string;
      readonly digest: Digest;
      /** Run as root by the disk's own cloud-init at each start. */
      readonly run: readonly Command[];
      /** What machines see of it at least; a smaller disk gets empty space behind its end. */
      readonly sizeBytes?: number;
    };

/** A terminal after compilation. */
export type BlueprintTerminal = {
  readonly name: string;
  readonly direction: 'in' | 'out' | 'external';
  /** Name in the protocol table, such as `http`. */
  readonly protocol: string;
  readonly transport: Transport;
  /**
   * 1 to 65535. On an `out` it is the port of the wired `in`; absent when nothing is wired to it, on an `in` to which
   * wires bring names with ports of their own, and on an external that leads out to those names.
   */
  readonly port?: number;
};

/** One appliance of a compiled application, with every value settled. */
export type BlueprintAppliance = {
  /** Path from the application: `web`, nested `shop/web`. */
  readonly path: string;
  /** Which appliance it is an incarnation of. */
  readonly uses: { readonly name: string; readonly version: string; readonly digest: Digest };
  /** At least 1. */
  readonly replicas: number;
  /** Failure domain over which replicas are spread. */
  readonly spread?: 'server' | 'rack' | 'zone';
  readonly resources: { readonly cpuMillicores: number; readonly memoryBytes: number };
  readonly properties: Readonly<Record<string, Setting>>;
  readonly terminals: readonly BlueprintTerminal[];
  readonly volumes: readonly Volume[];
  readonly contents: readonly Content[];
  readonly image: ImageSource;
  readonly files: readonly TemplateFile[];
  readonly services: readonly Service[];
  readonly hooks: Readonly<Partial<Record<HookName, Hook>>>;
  readonly health?: Health;
};

/** One end of a wire: an appliance's path and a terminal's name. */
export type WireEnd = { readonly appliance: string; readonly terminal: string };

/** A service of the outer world that may be reached. */
export type OuterName = {
  /** A lower-case domain name, without a dot at its end. */
  readonly name: string;
  readonly port: number;
  /** Whether it may lead to a private address. */
  readonly isPrivate?: true;
};

/** Traffic that is allowed: one transport and port, from every instance of one side to every instance of the other. */
export type BlueprintWire = {
  readonly from: WireEnd;
  readonly to: WireEnd;
  readonly protocol: string;
  readonly transport: Transport;
  /** Of the first name, when it lists names; then it opens the port of each. */
  readonly port: number;
  /** What the out side reaches through the in side, by name and port; at least one where present. */
  readonly names?: readonly OuterName[];
  /** False when the wire says `order: none`: the start of `from` does not wait for `to`. */
  readonly ordered: boolean;
};

/** A door to the world. */
export type BlueprintExternal = WireEnd & {
  readonly protocol: string;
  readonly transport: Transport;
  readonly port: number;
  /** Set when each connection begins with a header of the PROXY protocol, version 2. */
  readonly proxyProtocol?: true;
};

/**
 * A compiled application: flat, exact versions, every value settled, frozen.
 *
 * Appliances stand in start order (an appliance after those that its outs are wired to; ties by path), wires and
 * externals by path and terminal. Same input, same bytes.
 */
export type Blueprint = {
  readonly apiVersion: 'sheaf/v1';
  readonly kind: 'Blueprint';
  readonly application: { readonly name: string; readonly version: string };
  readonly appliances: readonly BlueprintAppliance[];
  readonly wires: readonly BlueprintWire[];
  readonly externals: readonly BlueprintExternal[];
  /** Secrets that must be given or generated, by name; `generate` is the length in characters when they may be. */
  readonly secrets: readonly { readonly name: string; readonly generate?: number }[];
};

/** Lists the doors that lead out of an application, in start order of their appliances. */
export function exitsOf(blueprint: Blueprint): readonly Omit<BlueprintExternal, 'port' | 'proxyProtocol'>[] {
  return blueprint.appliances.flatMap(({ path, terminals }) =>
    terminals.flatMap(({ name, direction, protocol, transport, port }) =>
      direction === 'external' && port === undefined
        ? [{ appliance: path, terminal: name, protocol, transport }]
        : [],
    ),
  );
}

/** Lists the ports that a wire opens, each once. */
export function portsOf({ port, names }: Pick<BlueprintWire, 'port' | 'names'>): readonly number[] {
  return names === undefined ? [port] : [...new Set(names.map((one) => one.port))];
}

/** One incarnation of an appliance: `web.1`, nested `shop/web.1`. */
export type InstanceName = {
  readonly name: string;
  readonly appliance: BlueprintAppliance;
  readonly number: number;
};

/** Lists a blueprint's instances in start order, numbered from 1. */
export function instancesOf(blueprint: Blueprint): readonly InstanceName[] {
  return blueprint.appliances.flatMap((appliance) =>
    Array.from({ length: appliance.replicas }, (_, index) => ({
      name: `${appliance.path}.${index + 1}`,
      appliance,
      number: index + 1,
    })),
  );
}
