import type { OfferedVersion, OuterCatalog } from '../../engine/model/outer-appliances.ts';
import { openEntry, packedSourceOf } from '../transfer/pull.ts';
import { type CatalogIndex, keyOf } from './catalog-index.ts';
import { versionMissing } from './choose-version.ts';
import type { Catalog } from './open-catalog.ts';

/** Shows a catalog to the engine as a place in which appliances and assemblies are looked up. */
export function openOuterCatalog(catalog: Catalog): OuterCatalog {
  const { shelf, memory } = catalog.options;
  const entriesOf = (index: CatalogIndex | undefined) =>
    (index?.entries ?? []).filter(({ packs }) => packs !== 'application');
  return {
    name: shelf.name,
    offers: async (as) => {
      const index = as === 'now' ? await catalog.index() : await memory.recall(shelf.name);
      const reasons = new Map(index?.yanked.map((yank) => [keyOf(yank), yank.reason]));
      return entriesOf(index).map((entry): OfferedVersion => {
        const { name, version, identity } = entry;
        const yanked = reasons.get(keyOf(entry));
        return { ...{ name, version, identity }, ...(yanked !== undefined && { yanked }) };
      });
    },
    open: async ({ name, version, identity }) => {
      const index = await catalog.index();
      const entry = entriesOf(index).find(
        (each) => each.name === name && each.version === version && each.identity === identity,
      );
      if (entry === undefined)
        throw versionMissing({ name, range: version }, [{ catalog: shelf.name, index }]);
      const found = await openEntry(catalog, entry);
      return { packed: packedSourceOf(found), isTrusted: found.verdict.kind !== 'refused' };
    },
  };
}
