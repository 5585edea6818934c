import type { Properties } from './property.ts';
import type { ProtocolTable } from './protocol.ts';
import type { PlainValue } from './value.ts';

/** A value as an application or assembly gives it: plain, or taken from its own parameter or property. */
export type GivenValue = PlainValue | { readonly from: string };

/** One appliance or assembly in use. */
export type Use = {
  /** Name inside its application or assembly. */
  readonly name: string;
  /** `NAME@RANGE`, as written. */
  readonly uses: string;
  /** Absent when the description does not say. */
  readonly replicas?: number;
  readonly spread?: 'server' | 'rack' | 'zone';
  readonly properties: ReadonlyMap<string, GivenValue>;
  readonly cpuMillicores?: number;
  readonly memoryBytes?: number;
  /** Bytes by volume name. */
  readonly volumes: ReadonlyMap<string, number>;
  /** Folders by content place, relative to the description's folder. */
  readonly contents: ReadonlyMap<string, string>;
};

/** A wire as described; its texts are parsed by the passes that connect it and settle its names. */
export type WireDescription = {
  readonly text: string;
  readonly isOrdered: boolean;
  /** `NAME:PORT` of the outer world, as written. Absent when none are listed. */
  readonly names?: readonly string[];
  /** Whether the names may lead to private addresses. */
  readonly isPrivate: boolean;
};

/** A part of an assembly that its boundary shows: an appliance inside, and the name of its terminal, volume or content place. */
export type InnerPart = { readonly use: string; readonly name: string };

/** What an assembly and an application share. Maps keep the order of the description. */
export type Composition = {
  readonly name: string;
  readonly version: string;
  readonly protocols: ProtocolTable;
  readonly uses: ReadonlyMap<string, Use>;
  readonly wires: readonly WireDescription[];
};

/** An appliance made of wired appliances. */
export type Assembly = Composition & {
  readonly kind: 'assembly';
  readonly properties: Properties;
  readonly terminals: ReadonlyMap<string, InnerPart>;
  readonly volumes: ReadonlyMap<string, InnerPart>;
  readonly contents: ReadonlyMap<string, InnerPart>;
};

/** An assembly that can be deployed. */
export type Application = Composition & { readonly kind: 'application'; readonly parameters: Properties };
