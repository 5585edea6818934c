import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Whose an address is: this machine's, a link's (where clouds keep their metadata), an organisation's, or anybody's. */
export type AddressKind = 'loopback' | 'link' | 'private' | 'public';

// in the order in which they are asked; IANA's special-purpose registries, RFC 6890
const kinds: readonly (readonly [AddressKind, BlockList])[] = [
  ['loopback', listOf(['127.0.0.0', 8], ['::1', 128])],
  [
    'link',
    listOf(
      ['0.0.0.0', 8],
      ['169.254.0.0', 16],
      ['224.0.0.0', 3],
      ['fe80::', 10],
      ['ff00::', 8],
      ['::', 128],
      ['fd00:ec2::254', 128],
    ),
  ],
  [
    'private',
    listOf(
      ['10.0.0.0', 8],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
      ['100.64.0.0', 10],
      ['198.18.0.0', 15],
      ['192.0.0.0', 24],
      ['fc00::', 7],
      ['64:ff9b::', 96],
    ),
  ],
];

/** Tells whose an address is. @param address - as the system writes it; whatever is no address counts as `link`, which nothing trusts */
export function addressKind(address: string): AddressKind {
  // a list of IPv4 subnets knows the mapped form ::ffff:10.0.0.1 too
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
  if (family === undefined) return 'link';
  return kinds.find(([, list]) => list.check(address, family))?.[0] ?? 'public';
}

function listOf(...subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of subnets) list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6');
  return list;
}
