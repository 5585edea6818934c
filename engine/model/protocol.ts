import type { Transport } from './blueprint.ts';

/** Every protocol and the one below which it stands; the transports stand below nothing. */
export type ProtocolTable = ReadonlyMap<string, string | null>;

/** The protocols that need no declaration. */
export const knownProtocols: ProtocolTable = new Map([
  ['tcp', null],
  ['udp', null],
  ['http', 'tcp'],
  ['grpc', 'http'],
  ['s3', 'http'],
  ['webdav', 'http'],
  ['websocket', 'http'],
  ['https', 'tcp'],
  ['postgresql', 'tcp'],
  ['mysql', 'tcp'],
  ['redis', 'tcp'],
  ['memcached', 'tcp'],
  ['mongodb', 'tcp'],
  ['amqp', 'tcp'],
  ['mqtt', 'tcp'],
  ['nats', 'tcp'],
  ['kafka', 'tcp'],
  ['ldap', 'tcp'],
  ['smtp', 'tcp'],
  ['imap', 'tcp'],
  ['ssh', 'tcp'],
  ['sftp', 'ssh'],
  ['git', 'tcp'],
  ['rsync', 'tcp'],
  ['nfs', 'tcp'],
  ['smb', 'tcp'],
  ['iscsi', 'tcp'],
  ['dns', 'udp'],
  ['syslog', 'udp'],
  ['ntp', 'udp'],
  ['snmp', 'udp'],
  ['wireguard', 'udp'],
  ['quic', 'udp'],
]);

/** Lists a protocol and those above it, nearest first; ends early where the table does not know a parent or repeats one. */
function ancestryOf(table: ProtocolTable, protocol: string): readonly string[] {
  const line: string[] = [];
  let name: string | null | undefined = protocol;
  while (typeof name === 'string' && table.has(name) && !line.includes(name)) {
    line.push(name);
    name = table.get(name);
  }
  return line;
}

/** Gives the transport that carries a protocol; undefined when the table leads to none. */
export function transportOf(table: ProtocolTable, protocol: string): Transport | undefined {
  const top = ancestryOf(table, protocol).at(-1);
  return top === 'tcp' || top === 'udp' ? top : undefined;
}

/** Tells whether an out of one protocol may be wired to an in of another: the same, or one below it. */
export function accepts(table: ProtocolTable, out: string, into: string): boolean {
  return out === into || ancestryOf(table, into).includes(out);
}
