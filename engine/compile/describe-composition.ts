import type { Application, Assembly, Composition, GivenValue, InnerPart, Use } from '../model/assembly.ts';
import type { PlainValue } from '../model/value.ts';
import { describeProperties } from './describe-properties.ts';
import type { ApplicationText, AssemblyText, InnerText, UseText } from './description-text.ts';
import { bytesOf, millicoresOf } from './quantities.ts';

/** Says in the words of the model what an application's description holds. */
export function describeApplication(text: ApplicationText): Application {
  return {
    ...describeComposition(text),
    kind: 'application',
    parameters: describeProperties(text.parameters),
  };
}

/** Says in the words of the model what an assembly's description holds. */
export function describeAssembly(text: AssemblyText): Assembly {
  return {
    ...describeComposition(text),
    kind: 'assembly',
    properties: describeProperties(text.properties),
    terminals: describeInner(text.terminals),
    volumes: describeInner(text.volumes),
    contents: describeInner(text.content),
  };
}

function describeComposition(text: ApplicationText | AssemblyText): Composition {
  return {
    name: text.name,
    version: text.version,
    protocols: new Map(Object.entries(text.protocols ?? {}).map(([name, { parent }]) => [name, parent])),
    uses: new Map(Object.entries(text.appliances).map(([name, use]) => [name, describeUse(name, use)])),
    wires: (text.wires ?? []).map((wire) =>
      typeof wire === 'string'
        ? { text: wire, isOrdered: true, isPrivate: false }
        : {
            text: wire.wire,
            isOrdered: wire.order === undefined,
            ...(wire.names !== undefined && { names: wire.names }),
            isPrivate: wire.private ?? false,
          },
    ),
  };
}

// Most of a large application's appliances set nothing; they share one empty map.
const nothing = new Map<string, never>();

function describeUse(name: string, text: UseText): Use {
  const { uses, replicas, spread, properties, resources, volumes, content } = text;
  return {
    name,
    uses,
    ...(replicas !== undefined && { replicas }),
    ...(spread !== undefined && { spread }),
    properties: properties === undefined ? nothing : mapOf(properties, givenValue),
    ...(resources?.cpu !== undefined && { cpuMillicores: millicoresOf(resources.cpu) }),
    ...(resources?.memory !== undefined && { memoryBytes: bytesOf(resources.memory) }),
    volumes: volumes === undefined ? nothing : mapOf(volumes, ({ size }) => bytesOf(size)),
    contents: content === undefined ? nothing : mapOf(content, (folder) => folder),
  };
}

function mapOf<T, U>(texts: Readonly<Record<string, T>>, describe: (text: T) => U): ReadonlyMap<string, U> {
  return new Map(Object.entries(texts).map(([name, text]) => [name, describe(text)]));
}

function givenValue(value: unknown): GivenValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value as PlainValue;
  const { parameter, property } = value as { readonly parameter?: string; readonly property?: string };
  return { from: parameter ?? property ?? '' };
}

function describeInner(texts: InnerText | undefined): ReadonlyMap<string, InnerPart> {
  return mapOf(texts ?? {}, ({ inner }) => {
    const dot = inner.indexOf('.');
    return { use: inner.slice(0, dot), name: inner.slice(dot + 1) };
  });
}
