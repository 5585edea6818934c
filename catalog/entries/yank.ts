import type { SigningKey } from '../trust/key.ts';
import { requireSigner } from '../trust/require-signer.ts';
import { keyOf } from './catalog-index.ts';
import { versionMissing } from './choose-version.ts';
import type { Catalog } from './open-catalog.ts';

/** Which version is withdrawn, and why. */
export type YankRequest = {
  readonly name: string;
  readonly version: string;
  /** For people who would have chosen it. */
  readonly reason: string;
  readonly key?: SigningKey;
};

/**
 * Withdraws a version: it stays for those who have it, and is chosen by nobody any more. The first reason stays.
 *
 * @throws EngineError VERSION_MISSING, as the catalog does
 */
export async function yank(catalog: Catalog, { key, ...request }: YankRequest): Promise<void> {
  const { shelf, now } = catalog.options;
  requireSigner(catalog.options, key);
  const at = new Date(now()).toISOString();
  await catalog.add(
    [{ apiVersion: 'sheaf/v1', kind: 'CatalogStatement', yank: { ...request, at } }],
    key,
    (index) => {
      if (index?.entries.some((entry) => keyOf(entry) === keyOf(request))) return;
      throw versionMissing({ name: request.name, range: request.version }, [{ catalog: shelf.name, index }]);
    },
    async () => undefined,
  );
}
