import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openCatalogMemory } from '../../catalog/entries/catalog-memory.ts';
import { type Catalog, type CatalogOptions, openCatalog } from '../../catalog/entries/open-catalog.ts';
import { openFolderShelf } from '../../catalog/shelves/folder-shelf.ts';
import { openRegistryShelf } from '../../catalog/shelves/registry-shelf.ts';
import type { Shelf } from '../../catalog/shelves/shelf.ts';
import type { PublicKey } from '../../catalog/trust/key.ts';
import type { TrustPolicy } from '../../catalog/trust/policy.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { calm, openQuickly } from './registry/openings.ts';
import { startSmallRegistry } from './registry/small-registry.ts';

/** Both kinds of place in which a catalog may lie. */
export const places: Readonly<Record<string, (t: ExecutionContext) => Promise<() => Shelf>>> = {
  folder: async (t) => {
    const folder = join(temporaryFolder(t), 'catalog');
    return () => openFolderShelf(folder);
  },
  registry: async (t) => {
    const { host } = await startSmallRegistry(t);
    return () => openRegistryShelf(openQuickly(t, host), 'acme');
  },
};

/** Opens a catalog that takes what nobody signed, unless it is given keys. */
export function openSample(
  t: ExecutionContext,
  shelf: Shelf,
  options: Partial<CatalogOptions> & { readonly keys?: readonly PublicKey[] } = {},
): Catalog {
  return openCatalog({
    shelf,
    policy: policyOf(options.keys),
    memory: openCatalogMemory(temporaryFolder(t)),
    isInsecure: false,
    now: () => Date.parse('2026-11-22'),
    report: () => undefined,
    signal: calm,
    ...options,
  });
}

/** A policy that trusts keys for everything; without keys it takes what nobody signed. */
export function policyOf(keys: readonly PublicKey[] = []): TrustPolicy {
  const rule = { names: ['*'], catalogs: ['*'], keys, acceptsUnsigned: keys.length === 0 };
  return { isWritten: true, rules: [rule], revoked: new Set() };
}
