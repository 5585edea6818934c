import { EngineError } from '../errors.ts';

/** A block of IPv4 addresses. */
export type Subnet = {
  /** The lowest address as a number. */
  readonly base: number;
  /** Length of the prefix in bits. */
  readonly prefix: number;
};

/** Reads a block in CIDR form. @throws EngineError INPUT_REFUSED */
export function parseSubnet(text: string): Subnet {
  const [address = '', bits = ''] = text.split('/');
  const base = parseAddress(address);
  const prefix = /^\d{1,2}$/.test(bits) ? Number(bits) : Number.NaN;
  if (base === undefined || !(prefix <= 32) || base % sizeOf(prefix) !== 0) {
    throw new EngineError('INPUT_REFUSED', `"${text}" is not a range of IPv4 addresses`, {
      hint: 'Write it like 10.83.0.0/16, with zeros after the prefix.',
    });
  }
  return { base, prefix };
}

/** Writes a block in CIDR form. */
export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefix}`;
}

/** Writes the address that stands `offset` places above the lowest of a block. */
export function addressAt(subnet: Subnet, offset: number): string {
  return formatAddress(subnet.base + offset);
}

/** Counts the addresses that instances can have: all but the network's, the gateway's and the broadcast one. */
export function roomOf(subnet: Subnet): number {
  return Math.max(0, sizeOf(subnet.prefix) - 3);
}

/** Tells whether two blocks have an address in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

/** Finds the lowest block of a size inside a range that overlaps none of those taken. Cost O(blocks × taken). */
export function firstFree(range: Subnet, prefix: number, taken: readonly Subnet[]): Subnet | undefined {
  const end = range.base + sizeOf(range.prefix);
  for (let base = range.base; base + sizeOf(prefix) <= end; base += sizeOf(prefix)) {
    const block = { base, prefix };
    if (!taken.some((other) => overlaps(block, other))) return block;
  }
  return undefined;
}

function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}

function parseAddress(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (!parts || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
