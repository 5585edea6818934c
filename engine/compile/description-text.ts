import type { HookName } from '../model/blueprint.ts';
import type { PropertyType } from '../model/property.ts';

/** A range as written: numbers, or texts with units. */
export type RangeText<T> = { readonly min?: T; readonly default: T; readonly max?: T };

/** A declared property or parameter as written. */
export type PropertyText = {
  readonly type: PropertyType;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly min?: number | string;
  readonly max?: number | string;
  readonly generate?: number;
};

type HeadText = {
  readonly name: string;
  readonly version: string;
  readonly protocols?: Readonly<Record<string, { readonly parent: string }>>;
};

type SignalOrCommand = { readonly signal: string } | { readonly command: readonly string[] };

/** An appliance's description that its schema accepts. */
export type ApplianceText = HeadText & {
  readonly terminals?: Readonly<
    Record<
      string,
      {
        readonly direction: 'in' | 'out' | 'external';
        readonly protocol: string;
        readonly port?: number | { readonly property: string } | 'names';
        readonly optional?: boolean;
        readonly proxyProtocol?: boolean;
      }
    >
  >;
  readonly properties?: Readonly<Record<string, PropertyText>>;
  readonly resources: { readonly cpu: RangeText<number>; readonly memory: RangeText<string> };
  readonly volumes?: Readonly<
    Record<
      string,
      {
        readonly kind: 'data' | 'scratch';
        readonly mount: string;
        readonly size: RangeText<string>;
        readonly perReplica?: boolean;
      }
    >
  >;
  readonly content?: Readonly<Record<string, { readonly to: string; readonly optional?: boolean }>>;
  readonly image:
    | { readonly suite: string; readonly packages: readonly string[]; readonly setup?: string }
    | { readonly oci: string }
    | { readonly disk: string; readonly run?: readonly (readonly string[])[]; readonly size?: string };
  readonly files?: readonly {
    readonly path: string;
    readonly template: string;
    readonly mode?: string;
    readonly owner?: string;
    readonly onChange?: string;
  }[];
  readonly services?: Readonly<
    Record<
      string,
      {
        readonly command: readonly string[];
        readonly after?: readonly string[];
        readonly user?: string;
        readonly directory?: string;
        readonly environment?: Readonly<Record<string, string>>;
        readonly reload?: SignalOrCommand;
        readonly stop?: { readonly signal?: string; readonly timeout?: string };
      }
    >
  >;
  readonly hooks?: Readonly<
    Partial<Record<HookName, { readonly command: readonly string[]; readonly timeout?: string }>>
  >;
  readonly health?: {
    readonly http?: { readonly terminal: string; readonly path?: string };
    readonly tcp?: { readonly terminal: string };
    readonly command?: readonly string[];
    readonly interval?: string;
    readonly timeout?: string;
    readonly failures?: number;
  };
};

/** One appliance in use as written. */
export type UseText = {
  readonly uses: string;
  readonly replicas?: number;
  readonly spread?: 'server' | 'rack' | 'zone';
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly resources?: { readonly cpu?: number; readonly memory?: string };
  readonly volumes?: Readonly<Record<string, { readonly size: string }>>;
  readonly content?: Readonly<Record<string, string>>;
};

type CompositionText = HeadText & {
  readonly appliances: Readonly<Record<string, UseText>>;
  readonly wires?: readonly (
    | string
    | {
        readonly wire: string;
        readonly order?: 'none';
        readonly names?: readonly string[];
        readonly private?: boolean;
      }
  )[];
};

/** Parts that an assembly's boundary shows, as written. */
export type InnerText = Readonly<Record<string, { readonly inner: string }>>;

/** An assembly's description that its schema accepts. */
export type AssemblyText = CompositionText & {
  readonly properties?: Readonly<Record<string, PropertyText>>;
  readonly terminals?: InnerText;
  readonly volumes?: InnerText;
  readonly content?: InnerText;
};

/** An application's description that its schema accepts. */
export type ApplicationText = CompositionText & {
  readonly parameters?: Readonly<Record<string, PropertyText>>;
};
