import type { Appliance, HealthDescription, ImageDescription } from '../model/appliance.ts';
import type { Hook, HookName, Service } from '../model/blueprint.ts';
import { deepFreeze } from '../model/freeze.ts';
import type { Terminal } from '../model/terminal.ts';
import { describeProperties } from './describe-properties.ts';
import type { ApplianceText } from './description-text.ts';
import { bytesOf, millicoresOf, millisecondsOf, rangeOf } from './quantities.ts';

const hookTimeoutMs: Readonly<Record<HookName, number>> = {
  // First starts fill data folders and change tables, which takes minutes on a slow machine.
  init: 300_000,
  migrate: 300_000,
  drain: 30_000,
  quiesce: 30_000,
  resume: 30_000,
};

/** Says in the words of the model what an appliance's description holds; settles units and defaults. */
export function describeAppliance(text: ApplianceText): Appliance {
  const { cpu, memory } = text.resources;
  const health = text.health && describeHealth(text.health);
  return {
    kind: 'appliance',
    name: text.name,
    version: text.version,
    protocols: new Map(Object.entries(text.protocols ?? {}).map(([name, { parent }]) => [name, parent])),
    terminals: mapOf(text.terminals, describeTerminal),
    properties: describeProperties(text.properties),
    resources: { cpuMillicores: rangeOf(cpu, millicoresOf), memoryBytes: rangeOf(memory, bytesOf) },
    volumes: mapOf(text.volumes, (name, { kind, mount, size, perReplica }) => ({
      name,
      kind,
      mount,
      sizeBytes: rangeOf(size, bytesOf),
      perReplica: perReplica ?? false,
    })),
    contents: mapOf(text.content, (name, { to, optional }) => ({ name, to, optional: optional ?? false })),
    image: describeImage(text.image),
    files: (text.files ?? []).map(({ mode, ...file }) => ({
      ...file,
      mode: (mode ?? '0644').padStart(4, '0'),
    })),
    services: deepFreeze(Object.entries(text.services ?? {}).map(describeService)),
    hooks: deepFreeze(describeHooks(text.hooks ?? {})),
    ...(health && { health }),
  };
}

function mapOf<T, U>(
  texts: Readonly<Record<string, T>> | undefined,
  describe: (name: string, text: T) => U,
): ReadonlyMap<string, U> {
  return new Map(Object.entries(texts ?? {}).map(([name, text]) => [name, describe(name, text)]));
}

function describeTerminal(
  name: string,
  { direction, protocol, port, optional, proxyProtocol }: NonNullable<ApplianceText['terminals']>[string],
): Terminal {
  return direction === 'out'
    ? { name, direction, protocol, optional: optional ?? false }
    : { name, direction, protocol, port: port ?? 0, ...(proxyProtocol && { proxyProtocol }) };
}

function describeImage(text: ApplianceText['image']): ImageDescription {
  if ('oci' in text) return { kind: 'oci', ref: text.oci };
  if ('disk' in text)
    return {
      ...{ kind: 'disk', path: text.disk, run: text.run ?? [] },
      ...(text.size !== undefined && { sizeBytes: bytesOf(text.size) }),
    };
  const { suite, packages, setup } = text;
  return { kind: 'packages', suite, packages, ...(setup !== undefined && { setup }) };
}

function describeService([name, text]: [string, NonNullable<ApplianceText['services']>[string]]): Service {
  const { command, after, user, directory, environment, reload, stop } = text;
  return {
    name,
    command,
    after: after ?? [],
    environment: environment ?? {},
    ...(user !== undefined && { user }),
    ...(directory !== undefined && { directory }),
    ...(reload !== undefined && { reload }),
    stop: { signal: stop?.signal ?? 'TERM', timeoutMs: millisecondsOf(stop?.timeout ?? '10s') },
  };
}

function describeHooks(texts: NonNullable<ApplianceText['hooks']>): Partial<Record<HookName, Hook>> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, { command, timeout }]) => [
      name,
      {
        command,
        timeoutMs: timeout === undefined ? hookTimeoutMs[name as HookName] : millisecondsOf(timeout),
      },
    ]),
  );
}

function describeHealth(text: NonNullable<ApplianceText['health']>): HealthDescription {
  const { http, tcp, command, interval, timeout, failures } = text;
  return {
    probe: http
      ? { kind: 'http', terminal: http.terminal, path: http.path ?? '/' }
      : tcp
        ? { kind: 'tcp', terminal: tcp.terminal }
        : { kind: 'command', command: command ?? [] },
    intervalMs: millisecondsOf(interval ?? '5s'),
    timeoutMs: millisecondsOf(timeout ?? '3s'),
    failures: failures ?? 3,
  };
}
