import { EngineError } from '../../errors.ts';

/** How a deployment's subnet is divided. */
export type AddressPlan = {
  /** Lower half, in CIDR form: instances, doors, and the Engine's own bridge. */
  readonly inner: string;
  /** The bridge's address in it. */
  readonly bridge: string;
  /** Addresses for doors, in the order in which they are given away. */
  readonly doors: readonly string[];
  /** The start of the upper half, in CIDR form: between doors and the server. */
  readonly outer: string;
};

const doorCount = 16;

/**
 * Divides a deployment's subnet between its own network and that of its doors.
 *
 * Docker puts a bridge with an address into each network, which must not be the gateway's of the model or an
 * instance's; so it gets the last one, and doors get those before.
 *
 * @param subnet - in CIDR form, of at least 64 addresses
 */
export function addressPlan(subnet: string): AddressPlan {
  const [address = '', prefix = ''] = subnet.split('/');
  const bits = Number(prefix);
  const base = numberOf(address);
  const half = 2 ** (31 - bits);
  const bridge = base + half - 2;
  return {
    inner: `${address}/${bits + 1}`,
    bridge: textOf(bridge),
    doors: Array.from({ length: doorCount }, (_, index) => textOf(bridge - 1 - index)),
    outer: `${textOf(base + half)}/28`,
  };
}

/** Makes sure that an instance's address is one for instances. @throws EngineError PLACEMENT_IMPOSSIBLE */
export function checkInstanceAddress(address: string, prefix: number): void {
  const half = 2 ** (31 - prefix);
  const offset = numberOf(address) % (2 * half);
  const last = half - 3 - doorCount;
  if (offset <= last) return;
  throw new EngineError(
    'PLACEMENT_IMPOSSIBLE',
    `a Docker Engine takes ${last - 1} instances of this deployment`,
    { hint: 'Use fewer replicas, or another pool.' },
  );
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function textOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
