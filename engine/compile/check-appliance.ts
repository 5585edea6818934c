import { nameHint } from '../formats/nearest-name.ts';
import type { Appliance, Range } from '../model/appliance.ts';
import type { FindingSink, JsonPath } from '../model/finding.ts';
import { knownProtocols, type ProtocolTable, transportOf } from '../model/protocol.ts';
import { leadsOut, type Terminal, takesNames, tellsClients } from '../model/terminal.ts';
import type { ProblemCode } from '../problem-table.ts';
import { formatSize } from '../units.ts';
import { type Described, spotAt, wasRemoved } from './described.ts';
import { findServiceCycle } from './service-cycle.ts';

type Report = (code: ProblemCode, path: JsonPath, message: string, hint: string) => void;

/** Checks an appliance against itself: what one part of its description says of another. */
export function checkAppliance(described: Described<Appliance>, sink: FindingSink): void {
  const report: Report = (code, path, message, hint) => {
    if (!wasRemoved(described, path)) sink({ code, at: spotAt(described, path), message, hint });
  };
  checkTerminals(described, report);
  checkDoors(described, report);
  checkRanges(described.model, report);
  checkGuestPaths(described.model, report);
  checkServices(described, report);
  checkHealth(described, report);
  checkDisk(described.model, report);
}

/** Checks the protocols that a description declares. */
export function checkProtocols(described: Described, sink: FindingSink): void {
  const { protocols } = described.model;
  const table: ProtocolTable = new Map([...knownProtocols, ...protocols]);
  for (const [name, parent] of protocols) {
    if (transportOf(table, name) !== undefined) continue;
    sink({
      code: 'PROTOCOL_UNKNOWN',
      at: spotAt(described, ['protocols', name, 'parent']),
      message: `${name} stands below ${parent}, which leads to neither tcp nor udp`,
      hint: nameHint(String(parent), [...knownProtocols.keys()]),
    });
  }
}

function checkTerminals(described: Described<Appliance>, report: Report): void {
  const { terminals, properties, protocols } = described.model;
  const table: ProtocolTable = new Map([...knownProtocols, ...protocols]);
  const listeners = new Map<string, string>();
  for (const terminal of terminals.values()) {
    const path = ['terminals', terminal.name];
    const transport = transportOf(table, terminal.protocol);
    if (!table.has(terminal.protocol)) {
      const isOwn = terminal.protocol.includes('/');
      report(
        'PROTOCOL_UNKNOWN',
        [...path, 'protocol'],
        `there is no protocol ${terminal.protocol}`,
        isOwn
          ? `Declare it in this file: protocols: {${terminal.protocol}: {parent: tcp}}.`
          : nameHint(terminal.protocol, [...table.keys()]),
      );
    }
    if (terminal.direction === 'out' || terminal.port === 'names') continue;
    if (typeof terminal.port === 'number') {
      const key = `${transport ?? '?'} ${terminal.port}`;
      const other = listeners.get(key);
      if (other !== undefined && transport !== undefined) {
        report(
          'PORT_TAKEN',
          [...path, 'port'],
          `${other} already listens on ${transport} ${terminal.port}`,
          'Give each terminal a port of its own.',
        );
      }
      listeners.set(key, terminal.name);
      continue;
    }
    const property = properties.get(terminal.port.property);
    if (property === undefined && !wasRemoved(described, ['properties', terminal.port.property])) {
      report(
        'PORT_UNFIT',
        [...path, 'port', 'property'],
        `there is no property ${terminal.port.property}`,
        nameHint(terminal.port.property, [...properties.keys()]),
      );
    } else if (property !== undefined && property.type !== 'integer') {
      report(
        'PORT_UNFIT',
        [...path, 'port', 'property'],
        `${property.name} is of type ${property.type}, and a port is an integer`,
        `Declare ${property.name} as {type: integer, min: 1, max: 65535}.`,
      );
    }
  }
}

/** Names are found in TLS and HTTP, which TCP carries, and one door is enough for all that lead to it. */
function checkDoors(described: Described<Appliance>, report: Report): void {
  const { terminals, protocols } = described.model;
  const table: ProtocolTable = new Map([...knownProtocols, ...protocols]);
  const ins = [...terminals.values()].filter(takesNames);
  const [door, ...others] = [...terminals.values()].filter(leadsOut);
  const refuse = ({ name }: Terminal, message: string, hint: string, key = 'port') =>
    report('DOOR_UNFIT', ['terminals', name, key], message, hint);
  for (const terminal of [...terminals.values()].filter(tellsClients))
    if (leadsOut(terminal) || transportOf(table, terminal.protocol) === 'udp')
      refuse(
        terminal,
        `${terminal.name} has no connections of clients that a header could begin`,
        'Leave proxyProtocol out.',
        'proxyProtocol',
      );
  for (const other of others)
    refuse(other, `${door?.name} leads out already`, 'Keep one of these doors; all names go through it.');
  for (const terminal of [...ins, ...(door ? [door] : [])])
    if (transportOf(table, terminal.protocol) === 'udp')
      refuse(
        terminal,
        `${terminal.name} goes over udp, where nothing tells names`,
        'Give it the protocol tcp.',
      );
  const [first] = ins;
  if (door === undefined && first !== undefined && described.removed.size === 0)
    refuse(first, `${first.name} leads to names, and no door leads out to them`, doorHint);
  if (door !== undefined && first === undefined && described.removed.size === 0)
    refuse(door, `${door.name} leads out, and nothing leads to it`, 'Give an in the port names.');
}

const doorHint = 'Add an external such as world: {direction: external, protocol: tcp, port: names}.';

function checkRanges({ resources, volumes }: Appliance, report: Report): void {
  checkRange(resources.cpuMillicores, ['resources', 'cpu'], (value) => `${value / 1000} cores`, report);
  checkRange(resources.memoryBytes, ['resources', 'memory'], formatSize, report);
  for (const volume of volumes.values()) {
    checkRange(volume.sizeBytes, ['volumes', volume.name, 'size'], formatSize, report);
  }
}

function checkRange(range: Range, path: JsonPath, show: (value: number) => string, report: Report): void {
  if (range.min <= range.default && range.default <= range.max) return;
  const wrong = range.default < range.min ? 'below the minimum' : 'above the maximum';
  report(
    'LIMITS_CONTRADICT',
    [...path, 'default'],
    `the default of ${show(range.default)} is ${wrong}`,
    'Write min, default and max in this order of size.',
  );
}

// The kit keeps its own things there, and the kernel its interfaces.
const reservedFolders = ['/dev', '/etc/sheaf', '/proc', '/run/sheaf', '/sys'];

function checkGuestPaths({ files, volumes, contents }: Appliance, report: Report): void {
  const taken = new Map<string, string>();
  const claim = (guestPath: string, path: JsonPath, what: string) => {
    const reserved = reservedFolders.find(
      (folder) => guestPath === folder || guestPath.startsWith(`${folder}/`),
    );
    const other = taken.get(guestPath);
    if (reserved !== undefined) {
      report('GUEST_PATH_TAKEN', path, `${reserved} belongs to Sheaf and the kernel`, 'Choose another path.');
    } else if (other !== undefined) {
      report('GUEST_PATH_TAKEN', path, `${guestPath} is already taken by ${other}`, 'Choose another path.');
    }
    taken.set(guestPath, what);
  };
  for (const { name, mount } of volumes.values())
    claim(mount, ['volumes', name, 'mount'], `the volume ${name}`);
  for (const { name, to } of contents.values()) claim(to, ['content', name, 'to'], `the content ${name}`);
  for (const [index, { path }] of files.entries()) claim(path, ['files', index, 'path'], 'another file');
}

function checkServices(described: Described<Appliance>, report: Report): void {
  const { services, files } = described.model;
  const names = services.map((service) => service.name);
  const expect = (name: string, path: JsonPath) => {
    if (names.includes(name) || wasRemoved(described, ['services', name])) return;
    report('SERVICE_UNKNOWN', path, `there is no service ${name}`, nameHint(name, names));
  };
  for (const service of services) {
    for (const [index, name] of service.after.entries())
      expect(name, ['services', service.name, 'after', index]);
  }
  for (const [index, { onChange }] of files.entries()) {
    if (onChange !== undefined) expect(onChange, ['files', index, 'onChange']);
  }
  const cycle = findServiceCycle(services);
  if (cycle !== undefined) {
    const [first = ''] = cycle;
    report(
      'SERVICE_CYCLE',
      ['services', first, 'after'],
      `services wait for each other: ${[...cycle, first].join(' -> ')}`,
      'Remove one of these from after.',
    );
  }
}

function checkHealth(described: Described<Appliance>, report: Report): void {
  const { health, terminals, protocols } = described.model;
  if (health === undefined || health.probe.kind === 'command') return;
  const { kind, terminal: name } = health.probe;
  const path = ['health', kind, 'terminal'];
  const terminal = terminals.get(name);
  const probeable = [...terminals.values()]
    .filter((each) => each.direction !== 'out' && each.port !== 'names')
    .map((each) => each.name);
  if (terminal === undefined) {
    if (!wasRemoved(described, ['terminals', name])) {
      report('HEALTH_UNFIT', path, `there is no terminal ${name}`, nameHint(name, probeable));
    }
  } else if (terminal.direction === 'out') {
    report('HEALTH_UNFIT', path, `${name} is an out; nothing listens there`, nameHint(name, probeable));
  } else if (terminal.port === 'names') {
    report('HEALTH_UNFIT', path, `${name} listens where wires say, or nowhere`, 'Probe with a command.');
  } else if (transportOf(new Map([...knownProtocols, ...protocols]), terminal.protocol) === 'udp') {
    report(
      'HEALTH_UNFIT',
      path,
      `${name} speaks ${terminal.protocol} over udp, which takes no connection`,
      'Probe with a command.',
    );
  }
}

/** A whole disk boots by itself: nothing of Sheaf runs inside of it, only cloud-init reads what it is told. */
function checkDisk({ image, services, hooks, contents, files, health }: Appliance, report: Report): void {
  if (image.kind !== 'disk') return;
  const refuse = (path: JsonPath, what: string, hint: string): void =>
    report('DISK_UNFIT', path, `a whole disk ${what}`, hint);
  if (services.length > 0)
    refuse(['services'], 'runs its own services', 'Enable them in the disk, or start them under image.run.');
  for (const name of Object.keys(hooks))
    refuse(['hooks', name], 'runs no hooks', 'Put the command under image.run, which is run at each start.');
  for (const name of contents.keys())
    refuse(['content', name], 'takes no content', 'Put the files into the disk, or on a volume.');
  for (const [index, { onChange }] of files.entries())
    if (onChange !== undefined)
      refuse(['files', index, 'onChange'], 'reloads nothing; it is started again', 'Remove onChange.');
  if (health?.probe.kind === 'command')
    refuse(['health', 'command'], 'runs no commands', 'Probe a terminal, by http or tcp.');
}
