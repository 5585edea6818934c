import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { systemCode } from '../../engine/system-code.ts';
import { writeWhole } from '../../engine/whole-file.ts';
import { type CatalogIndex, keyOf, readCatalogIndex } from './catalog-index.ts';

/** Keeps the newest index that was believed of each catalog. */
export interface CatalogMemory {
  recall(catalog: string): Promise<CatalogIndex | undefined>;
  remember(catalog: string, index: CatalogIndex): Promise<void>;
}

/** Opens the memory that lies in a folder, one file a catalog. */
export function openCatalogMemory(folder: string): CatalogMemory {
  const fileOf = (catalog: string): string =>
    join(folder, `${digestOf(catalog).slice('sha256:'.length)}.json`);
  return {
    recall: async (catalog) => {
      const bytes = await readFile(fileOf(catalog)).catch((cause: unknown) => {
        if (['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')) return undefined;
        throw cause;
      });
      return bytes && readCatalogIndex(bytes, catalog);
    },
    remember: (catalog, index) => writeWhole(fileOf(catalog), canonicalJson(index)),
  };
}

/**
 * Holds an index against the newest one that was seen.
 *
 * A catalog only grows: nothing that was published or withdrawn goes away.
 *
 * @throws EngineError CATALOG_ROLLED_BACK
 */
export function requireGrown(
  catalog: string,
  seen: CatalogIndex | undefined,
  found: CatalogIndex | undefined,
): void {
  if (seen === undefined) return;
  if (found === undefined) throw rolledBack(catalog, 'it is empty now');
  if (found.id !== seen.id) throw rolledBack(catalog, 'it is another catalog than before');
  if (found.counter < seen.counter)
    throw rolledBack(catalog, `its index has the number ${found.counter}, and ${seen.counter} was seen`);
  const entries = new Map(found.entries.map((entry) => [keyOf(entry), entry]));
  for (const entry of seen.entries) {
    const now = entries.get(keyOf(entry));
    if (now === undefined) throw rolledBack(catalog, `${keyOf(entry)} is gone`);
    if (now.identity !== entry.identity)
      throw rolledBack(catalog, `${keyOf(entry)} has other content than before`);
  }
  const yanked = new Set(found.yanked.map(keyOf));
  const lost = seen.yanked.find((yank) => !yanked.has(keyOf(yank)));
  if (lost !== undefined) throw rolledBack(catalog, `${keyOf(lost)} is no longer withdrawn`);
}

function rolledBack(catalog: string, what: string): EngineError {
  return new EngineError('CATALOG_ROLLED_BACK', `the catalog ${catalog} shows less than it did: ${what}`, {
    hint: 'Try again in a minute. If it stays so, ask whoever runs it: somebody may be showing you an old state.',
    details: { catalog },
  });
}
