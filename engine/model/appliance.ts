import type { Command, Hook, HookName, Service } from './blueprint.ts';
import type { Properties } from './property.ts';
import type { ProtocolTable } from './protocol.ts';
import type { Terminal } from './terminal.ts';

/** A quantity that may be chosen between two bounds, both included. */
export type Range = { readonly min: number; readonly default: number; readonly max: number };

/** A disk as an appliance declares it. */
export type VolumeDeclaration = {
  readonly name: string;
  readonly kind: 'data' | 'scratch';
  /** Absolute path in the guest. */
  readonly mount: string;
  readonly sizeBytes: Range;
  readonly perReplica: boolean;
};

/** A place that the application fills with files of its own. */
export type ContentPlace = {
  readonly name: string;
  /** Absolute folder in the guest. */
  readonly to: string;
  readonly optional: boolean;
};

/** Where an image comes from, as described; paths are relative to the appliance's folder. */
export type ImageDescription =
  | {
      readonly kind: 'packages';
      readonly suite: string;
      readonly packages: readonly string[];
      readonly setup?: string;
    }
  | { readonly kind: 'oci'; readonly ref: string }
  | {
      readonly kind: 'disk';
      readonly path: string;
      readonly run: readonly Command[];
      readonly sizeBytes?: number;
    };

/** A configuration file as described. */
export type FileDescription = {
  /** Absolute path in the guest. */
  readonly path: string;
  /** Path of the template in the appliance's folder. */
  readonly template: string;
  /** Four octal digits. */
  readonly mode: string;
  readonly owner?: string;
  readonly onChange?: string;
};

/** How an appliance is probed, as described: by terminal, whose port may come from a property. */
export type HealthDescription = {
  readonly probe:
    | { readonly kind: 'http'; readonly terminal: string; readonly path: string }
    | { readonly kind: 'tcp'; readonly terminal: string }
    | { readonly kind: 'command'; readonly command: readonly string[] };
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly failures: number;
};

/** A prebuilt typed box, as its description says; units are settled. Maps keep the order of the description. */
export type Appliance = {
  readonly kind: 'appliance';
  readonly name: string;
  readonly version: string;
  /** Declared by this description alone. */
  readonly protocols: ProtocolTable;
  readonly terminals: ReadonlyMap<string, Terminal>;
  readonly properties: Properties;
  readonly resources: { readonly cpuMillicores: Range; readonly memoryBytes: Range };
  readonly volumes: ReadonlyMap<string, VolumeDeclaration>;
  readonly contents: ReadonlyMap<string, ContentPlace>;
  readonly image: ImageDescription;
  readonly files: readonly FileDescription[];
  readonly services: readonly Service[];
  readonly hooks: Readonly<Partial<Record<HookName, Hook>>>;
  readonly health?: HealthDescription;
};
