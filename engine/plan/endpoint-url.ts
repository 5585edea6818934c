import type { ListenAddress } from '../model/allocation.ts';

/** Writes where an external is reached as a URL; of a wildcard address the loopback one that leads there too. */
export function endpointUrl(protocol: string, listen: ListenAddress): string {
  const scheme =
    protocol === 'http' || protocol === 'https' ? protocol : (protocol.split('/').at(-1) ?? protocol);
  const reached = { '0.0.0.0': '127.0.0.1', '::': '::1' }[listen.address] ?? listen.address;
  const host = reached.includes(':') ? `[${reached}]` : reached;
  return `${scheme}://${host}:${listen.port}/`;
}
